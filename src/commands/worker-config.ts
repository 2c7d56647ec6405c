import { join } from 'node:path';
import { ConfigError, type GatewayConfig } from '../config/index.ts';
import type { WorkerOrder } from './worker-messages.ts';

type Fleet = NonNullable<GatewayConfig['listen']['fleet']>;
type Place = Pick<WorkerOrder, 'slot' | 'slots'>;

/**
 * The configuration of the worker in a slot: its own directory, name and ports of administration and nodes, each counted by the slot. The public port
 * and the secrets are those of all. Without Redis its siblings are peers, so that nodes that dial one dial them all.
 */
export function workerConfig(config: GatewayConfig, place: Place): GatewayConfig {
  const { gateway, listen, dataDir, secretsFile } = config;
  const { fleet, admin } = listen;
  const { slot } = place;
  return {
    ...config,
    gateway: { ...gateway, id: nameIn(slot, config) },
    dataDir: join(dataDir, `worker-${slot}`),
    secretsFile: secretsFile ?? secretsFileOf(config),
    listen: {
      ...listen,
      admin: { ...admin, port: portIn(slot, admin.port) },
      ...(fleet === undefined ? {} : { fleet: fleetIn(fleet, place, config) }),
    },
  };
}

/** The secrets that all workers of a configuration share. */
export function secretsFileOf({ secretsFile, dataDir }: GatewayConfig): string {
  return secretsFile ?? join(dataDir, 'secrets.json');
}

/** Throws a `ConfigError` for `file` when its gateway cannot run as so many workers. */
export function checkWorkers(config: GatewayConfig, workers: number, file: string): void {
  const { postgres, listen } = config;
  const { fleet, admin } = listen;
  const faults = [
    ...(postgres === undefined ? [{ path: 'postgres', message: `is missing: workers share keys and books through PostgreSQL: add postgres to ${file}` }] : []),
    ...(fleet !== undefined && fleet.port !== 0 && addressOf(fleet) === null
      ? [{ path: 'listen.fleet.advertise_url', message: `is missing: nodes are told to dial every worker, and ${fleet.host} is no address that they could dial` }]
      : []),
    ...meetings({ 'listen.public': { ...listen.public, ports: 1 }, 'listen.admin': { ...admin, ports: workers + 1 }, ...(fleet === undefined ? {} : { 'listen.fleet': { ...fleet, ports: workers + 1 } }) }),
  ];
  if (faults.length > 0) throw new ConfigError(file, faults.map((fault) => ({ line: null, ...fault })));
}

interface PortRange {
  readonly host: string;
  readonly port: number;
  readonly ports: number;
}

/** Each worker has a port of its own for administration and nodes, and one more is for the worker that is being replaced. */
function meetings(listeners: Readonly<Record<string, PortRange>>): { path: string; message: string }[] {
  const all = Object.entries(listeners).filter(([, { port }]) => port !== 0);
  return all.flatMap(([name, one], index) =>
    all
      .slice(0, index)
      .filter(([, other]) => (one.host === other.host || isAny(one.host) || isAny(other.host)) && one.port < other.port + other.ports && other.port < one.port + one.ports)
      .map(([otherName, other]) => ({ path: `${name}.port`, message: `takes ${rangeText(one)} with these workers, and ${otherName} takes ${rangeText(other)}; choose ports further apart` })),
  );
}

function rangeText({ port, ports }: PortRange): string {
  return ports === 1 ? String(port) : `${port} to ${port + ports - 1}`;
}

function fleetIn(fleet: Fleet, { slot, slots }: Place, config: GatewayConfig): Fleet {
  const siblings = Array.from({ length: slots }, (_, other) => other).filter((other) => other !== slot && fleet.port !== 0 && config.redis === undefined);
  const peers = siblings.map((other) => ({ id: nameIn(other, config), url: urlIn(other, fleet) }));
  const advertised = fleet.advertiseUrl === undefined ? {} : { advertiseUrl: urlIn(slot, fleet) };
  return { ...fleet, ...advertised, port: portIn(slot, fleet.port), peers: [...peers, ...fleet.peers] };
}

/** Where nodes dial the worker in a slot. */
function urlIn(slot: number, fleet: Fleet): string {
  const url = new URL(fleet.advertiseUrl ?? `${fleet.tls === undefined && fleet.join === undefined ? 'ws' : 'wss'}://${addressOf(fleet)}:${fleet.port}`);
  url.port = String(portIn(slot, url.port === '' ? fleet.port : Number(url.port)));
  return url.href;
}

/** A host that nodes can dial; null where nobody has said one. */
function addressOf({ advertiseUrl, join: joining, host }: Fleet): string | null {
  if (advertiseUrl !== undefined) return new URL(advertiseUrl).hostname;
  const named = joining?.hosts[0] ?? (isAny(host) ? null : host);
  return named?.includes(':') === true ? `[${named}]` : named;
}

function isAny(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function nameIn(slot: number, { gateway }: GatewayConfig): string {
  return `${gateway.id}-${slot}`;
}

function portIn(slot: number, port: number): number {
  return port === 0 ? 0 : port + slot;
}
