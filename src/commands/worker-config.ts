import { join } from 'node:path';
import type { GatewayConfig } from '../config/index.ts';

/** Ports of one slot: public, admin and fleet stand side by side as a rule. */
const SLOT_PORTS = 10;

/** The configuration of the gateway in slot `slot`: it shares the public port with the others, and has all else for itself. */
export function workerConfig(config: GatewayConfig, slot: number): GatewayConfig {
  const { gateway, dataDir, listen } = config;
  const beside = (port: number): number => (port === 0 ? 0 : port + SLOT_PORTS * slot);
  return {
    ...config,
    gateway: { ...gateway, id: `${gateway.id}-${slot}` },
    secretsFile: config.secretsFile ?? join(dataDir, 'secrets.json'),
    dataDir: join(dataDir, `worker-${slot}`),
    listen: {
      ...listen,
      public: { ...listen.public, reusePort: true },
      admin: { ...listen.admin, port: beside(listen.admin.port) },
      ...(listen.fleet === undefined ? {} : { fleet: { ...listen.fleet, port: beside(listen.fleet.port) } }),
    },
  };
}

/** Why workers cannot share this configuration, in words; null when they can. */
export function workersFault({ postgres, listen }: GatewayConfig): string | null {
  if (postgres === undefined) return 'workers share keys and books through PostgreSQL: add postgres to the configuration';
  if (listen.public.port === 0) return 'workers share the public port, which must be a number: set listen.public.port';
  return null;
}
