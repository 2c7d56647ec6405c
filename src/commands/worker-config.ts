import { join } from 'node:path';
import type { GatewayConfig } from '../config/index.ts';

/** Ports of one slot: public, admin and fleet stand side by side as a rule. */
const SLOT_PORTS = 10;

/** The configuration of the gateway in slot `slot`: it shares the public port with the others, and has all else for itself. */
export function workerConfig(config: GatewayConfig, slot: number): GatewayConfig {
  const { gateway, dataDir, listen } = config;
  return {
    ...config,
    gateway: { ...gateway, id: `${gateway.id}-${slot}` },
    secretsFile: config.secretsFile ?? join(dataDir, 'secrets.json'),
    dataDir: join(dataDir, `worker-${slot}`),
    listen: {
      ...listen,
      public: { ...listen.public, reusePort: true },
      admin: { ...listen.admin, port: beside(listen.admin.port, slot) },
      ...(listen.fleet === undefined ? {} : { fleet: besideOf(listen.fleet, slot) }),
    },
  };
}

type FleetListener = NonNullable<GatewayConfig['listen']['fleet']>;

/** What nodes are told to dial goes with the port. */
function besideOf(fleet: FleetListener, slot: number): FleetListener {
  const { advertiseUrl, ...rest } = { ...fleet, port: beside(fleet.port, slot) };
  if (advertiseUrl === undefined) return rest;
  const url = new URL(advertiseUrl);
  if (url.port !== '') url.port = String(beside(Number(url.port), slot));
  return { ...rest, advertiseUrl: url.href };
}

function beside(port: number, slot: number): number {
  return port === 0 ? 0 : port + SLOT_PORTS * slot;
}

/** Why workers cannot share this configuration, in words; null when they can. */
export function workersFault({ postgres, listen }: GatewayConfig): string | null {
  if (postgres === undefined) return 'workers share keys and books through PostgreSQL: add postgres to the configuration';
  if (listen.public.port === 0) return 'workers share the public port, which must be a number: set listen.public.port';
  return null;
}
