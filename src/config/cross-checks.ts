import type { DemoSettings } from './demo-schema.ts';
import type { GatewaySettings } from './gateway-schema.ts';
import { nearestName } from '../core/index.ts';
import type { NodeSettings } from './node-schema.ts';
import type { SchemaFault } from './schema-faults.ts';
import type { ConfigPath } from './schema-walk.ts';

/** What is wrong between the values of a gateway. */
export function gatewayFaults(settings: GatewaySettings): SchemaFault[] {
  const { listen, models, aliases, replicas, dedicated, retries, breaker, link, sharing, timeouts } = settings;
  return [
    ...(listen.fleet === undefined && replicas.length === 0
      ? [{ path: ['replicas'], message: 'are none, and without listen.fleet no node can join: nothing could ever answer' }]
      : []),
    ...samePorts(listen),
    ...sharedFaults(settings),
    ...atMost(['sharing', 'beat_ms'], sharing.beat_ms, 'member_lease_ms', sharing.member_lease_ms),
    ...atMost(['timeouts', 'total_ms'], timeouts.total_ms, 'sharing.allowance_ms', sharing.allowance_ms),
    ...(listen.fleet === undefined ? [] : fleetFaults(listen.fleet)),
    ...repeated(replicas.map(({ id }) => id), (index) => ['replicas', index, 'id']),
    ...replicas.flatMap((replica, index) =>
      replica.models.flatMap((name, at) => unknownModel(name, Object.keys(models), ['replicas', index, 'models', at])),
    ),
    ...Object.entries(aliases).flatMap(([name, { versions }]) => aliasFaults(name, versions, Object.keys(models))),
    ...repeated(dedicated.flatMap(({ nodes }) => nodes), (index) => dedicatedPath(dedicated, index)),
    ...Object.entries(models).flatMap(([name, model]) =>
      atMost(['models', name, 'output_tokens_max'], model.output_tokens_max, 'context_tokens', model.context_tokens),
    ),
    ...atMost(['retries', 'jitter_min_ms'], retries.jitter_min_ms, 'jitter_max_ms', retries.jitter_max_ms),
    ...atMost(['breaker', 'open_ms'], breaker.open_ms, 'open_ms_max', breaker.open_ms_max),
    ...atMost(['link', 'ping_ms'], link.ping_ms, 'dead_ms', link.dead_ms),
  ];
}

function fleetFaults({ token, join, tls, host }: NonNullable<GatewaySettings['listen']['fleet']>): SchemaFault[] {
  const path = ['listen', 'fleet'];
  const isAnyAddress = host === '0.0.0.0' || host === '::';
  return [
    ...oneWayToJoin(path, token, join),
    ...(join !== undefined && tls !== undefined ? [{ path: [...path, 'tls'], message: 'is for a fleet with a token for all; with join, the gateway makes its certificate itself' }] : []),
    ...(join !== undefined && join.hosts.length === 0 && isAnyAddress ? [{ path: [...path, 'join', 'hosts'], message: `are missing: ${host} is no address that a node could dial` }] : []),
  ];
}

const POSTGRES_URL = /^postgres(ql)?:\/\/[^\s/]+\/[^\s/?]+/;
const REDIS_URL = /^rediss?:\/\/[^\s/]+(\/\d*)?$/;

/** URLs with passwords in them: said to be wrong, and not shown. */
function sharedFaults({ postgres, redis }: GatewaySettings): SchemaFault[] {
  return [
    ...(postgres === undefined || POSTGRES_URL.test(postgres.url) ? [] : [{ path: ['postgres', 'url'], message: 'must be as postgres://user:password@host:5432/database' }]),
    ...(redis === undefined ? [] : redisFaults(redis)),
    ...(redis !== undefined && postgres === undefined ? [{ path: ['redis'], message: 'is for gateways that share a database; add postgres' }] : []),
  ];
}

function redisFaults({ mode, urls, sentinel_name: name }: NonNullable<GatewaySettings['redis']>): SchemaFault[] {
  return [
    ...urls.flatMap((one, index) => (REDIS_URL.test(one) ? [] : [{ path: ['redis', 'urls', index], message: 'must be as redis://user:password@host:6379, or rediss:// with TLS' }])),
    ...(mode === 'single' && urls.length > 1 ? [{ path: ['redis', 'urls'], message: 'are several; a single server has one. For more say mode: sentinel or mode: cluster' }] : []),
    ...(mode === 'sentinel' && name === undefined ? [{ path: ['redis', 'sentinel_name'], message: 'is missing: the name that the Sentinels know the master by' }] : []),
    ...(mode !== 'sentinel' && name !== undefined ? [{ path: ['redis', 'sentinel_name'], message: 'is for mode: sentinel' }] : []),
  ];
}

function oneWayToJoin(path: ConfigPath, token: unknown, join: unknown): SchemaFault[] {
  if (token !== undefined && join !== undefined) return [{ path: [...path, 'token'], message: 'and join are two ways to be let in: say one of them' }];
  return token === undefined && join === undefined ? [{ path: [...path, 'token'], message: 'is missing; say it, or join for a fleet with certificates' }] : [];
}

function aliasFaults(name: string, versions: GatewaySettings['aliases'][string]['versions'], models: readonly string[]): SchemaFault[] {
  const path = ['aliases', name];
  return [
    ...(models.includes(name) ? [{ path, message: 'is also the name of a model; an alias needs a name of its own' }] : []),
    ...versions.flatMap(({ model }, at) => unknownModel(model, models, [...path, 'versions', at, 'model'])),
    ...(versions.every(({ weight }) => weight === 0) ? [{ path: [...path, 'versions'], message: 'have no weight; at least one must have some' }] : []),
  ];
}

/** Where the node stands that is the `index`th of all dedicated ones. */
function dedicatedPath(dedicated: GatewaySettings['dedicated'], index: number): ConfigPath {
  let left = index;
  for (const [at, { nodes }] of dedicated.entries()) {
    if (left < nodes.length) return ['dedicated', at, 'nodes', left];
    left -= nodes.length;
  }
  return ['dedicated'];
}

/** What is wrong between the values of a node. */
export function nodeFaults({ engine, link, tls, token, join, gateways }: NodeSettings): SchemaFault[] {
  return [
    ...oneWayToJoin([], token, join),
    ...(join !== undefined && tls !== undefined ? [{ path: ['tls'], message: 'is for a fleet with a token for all; with join, whom to trust and what to show is in the identity' }] : []),
    ...(join === undefined ? [] : gateways.flatMap((gateway, at) => (gateway.startsWith('wss:') ? [] : [{ path: ['gateways', at], message: 'must begin with wss://: with join, every link is encrypted' }]))),
    ...atMost(['engine', 'restart', 'backoff_min_ms'], engine.restart.backoff_min_ms, 'backoff_max_ms', engine.restart.backoff_max_ms),
    ...atMost(['link', 'load_ms_min'], link.load_ms_min, 'load_ms_max', link.load_ms_max),
    ...atMost(['link', 'reconnect_min_ms'], link.reconnect_min_ms, 'reconnect_max_ms', link.reconnect_max_ms),
    ...atMost(['link', 'ping_ms'], link.ping_ms, 'dead_ms', link.dead_ms),
    ...(tls !== undefined && (tls.cert_file === undefined) !== (tls.key_file === undefined)
      ? [{ path: ['tls'], message: 'must have cert_file and key_file both, or neither' }]
      : []),
  ];
}

/** What is wrong between the values of the demo. */
export function demoFaults(settings: DemoSettings): SchemaFault[] {
  return [
    ...gatewayFaults(settings),
    ...(settings.listen.fleet === undefined ? [{ path: ['listen', 'fleet'], message: 'is missing; the nodes of the demo join there' }] : []),
    ...repeated(settings.demo.regions.map(({ name }) => name), (index) => ['demo', 'regions', index, 'name']),
  ];
}

function samePorts({ public: api, admin, fleet }: GatewaySettings['listen']): SchemaFault[] {
  const listeners = Object.entries({ public: api, admin, ...(fleet === undefined ? {} : { fleet }) });
  return listeners.flatMap(([name, { host, port }], index) =>
    listeners
      .slice(0, index)
      .filter(([, earlier]) => port !== 0 && earlier.port === port && earlier.host === host)
      .map(([earlier]) => ({ path: ['listen', name, 'port'], message: `is ${port}, which listen.${earlier} has already` })),
  );
}

function repeated(names: readonly string[], pathOf: (index: number) => ConfigPath): SchemaFault[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) === index ? [] : [{ path: pathOf(index), message: `is ${JSON.stringify(name)} a second time; it must be unique` }],
  );
}

function unknownModel(name: string, known: readonly string[], path: ConfigPath): SchemaFault[] {
  if (known.includes(name)) return [];
  const nearest = nearestName(name, known);
  const hint = nearest === null ? `; known: ${known.join(', ')}` : `; did you mean ${nearest}?`;
  return [{ path, message: `is ${JSON.stringify(name)}, which is not under models${hint}` }];
}

function atMost(path: ConfigPath, value: number, otherKey: string, other: number): SchemaFault[] {
  return value <= other ? [] : [{ path, message: `is ${value}; it must be at most ${otherKey}, which is ${other}` }];
}
