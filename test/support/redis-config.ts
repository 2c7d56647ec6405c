import type { GatewayConfig } from '../../src/config/index.ts';

/** The `redis` section of a gateway for one server. */
export function redisAt(url: string, change: Partial<NonNullable<GatewayConfig['redis']>> = {}): NonNullable<GatewayConfig['redis']> {
  return { mode: 'single', urls: [url], keyPrefix: 'meridian', commandMs: 25, ...change };
}
