import { RateLimiter, type Limiter } from '../admission/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Logger } from '../core/index.ts';
import { SharedLimiter } from '../redis/index.ts';
import type { Shared } from './open-shared.ts';
import type { Teardown } from './teardown.ts';

/** Keys, projects and organizations whose use of their limits is remembered. */
const LIMITED_SCOPES_MAX = 100_000;

interface LimiterOf {
  readonly config: GatewayConfig;
  readonly shared: Shared | null;
  readonly gateways: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Limits of this gateway alone, or of all that share a Redis. */
export function openLimiter({ config, shared, gateways, clock, log }: LimiterOf, teardown: Teardown): Limiter & { readonly decidedAlone: number } {
  const parts = shared?.redisParts ?? null;
  if (parts === null) return Object.assign(new RateLimiter(LIMITED_SCOPES_MAX), { decidedAlone: 0 });
  return teardown.add(new SharedLimiter({ redis: parts.redis, keyPrefix: parts.keyPrefix, gateway: config.gateway.id, leaseMs: config.sharing.memberLeaseMs, gateways, scopesMax: LIMITED_SCOPES_MAX, clock, log }));
}
