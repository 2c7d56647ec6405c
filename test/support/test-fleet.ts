import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway, type Gateway } from '../../src/app.ts';
import { gatewayDefaults, type GatewayConfig } from '../../src/config/index.ts';
import { noLog, seededRng, systemClock, type Clock } from '../../src/core/index.ts';
import { CANARY_DEFAULTS, LINK_DEFAULTS, startNodeDaemon, type NodeDaemon, type NodeDaemonOptions } from '../../src/node/index.ts';
import { startSimEngine, type SimEngine, type SimEngineOptions } from '../../src/sim/index.ts';
import { until } from './until.ts';

export const MODEL = 'deepseek-v3';
export const ADMIN_KEY = 'mk_admin_for_tests_only';
export const FLEET_TOKEN = 'a fleet token for tests';

export interface TestFleetOptions {
  /** Engines, each behind a node daemon of its own, by region. */
  readonly regions?: Readonly<Record<string, number>>;
  /** Engines that the gateway reaches by their URL. */
  readonly agentless?: number;
  readonly engine?: SimEngineOptions;
  /** The gateway's. */
  readonly clock?: Clock;
  /** Changes of the gateway's configuration. */
  readonly config?: (config: GatewayConfig) => GatewayConfig;
  /** What a reload reads, from what the gateway was started with. */
  readonly read?: (config: GatewayConfig) => GatewayConfig;
}

/** A gateway with simulated engines in this process, on real sockets and a data directory of its own. */
export interface TestFleet {
  readonly gateway: Gateway;
  /** In the order of `regions`, then the agentless ones. */
  readonly engines: readonly SimEngine[];
  readonly daemons: readonly NodeDaemon[];
  /** A fresh API key without limits. */
  readonly apiKey: string;
  /** A call of the admin API; the JSON of its answer. */
  admin(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<{ status: number; json: Record<string, unknown> }>;
  close(): Promise<void>;
}

/** Tests run the simulated engines faster than real ones. */
const TIME_SCALE = 20;

export async function startTestFleet(options: TestFleetOptions = {}): Promise<TestFleet> {
  const { regions = { 'gcp-us-east4': 2, 'aws-us-west-2': 1 }, agentless = 0, config = (same) => same, clock = systemClock } = options;
  const world = { clock, rng: seededRng(1), log: noLog };
  const places = Object.entries(regions).flatMap(([region, count]) => Array.from({ length: count }, () => region));
  const engines = await Promise.all(
    Array.from({ length: places.length + agentless }, (_, i) => startSimEngine({ model: MODEL, timeScale: TIME_SCALE, seed: i + 1, ...options.engine })),
  );
  const dataDir = mkdtempSync(join(tmpdir(), 'meridian-test-'));
  const byUrl = engines.slice(places.length).map((engine, i) => agentlessReplica(engine, i));
  const begun = config(baseConfig(dataDir, byUrl));
  const { read } = options;
  const gateway = await startGateway(begun, read === undefined ? world : { ...world, source: { file: 'gateway.yaml', read: () => read(begun) } });
  const daemons = await Promise.all(
    places.map((region, i) => startNodeDaemon(nodeOptions(`${region}-${i + 1}`, region, engineUrl(engines, i), String(gateway.fleetUrl)), world)),
  );
  // By name: a test may have configured replicas of its own, which are ready when they are, or never.
  const started = [...places.map((region, i) => `${region}-${i + 1}`), ...byUrl.map(({ id }) => id)];
  const isReady = (id: string): boolean => {
    const replica = gateway.fleet.get(id);
    return replica?.state === 'ready' && replica.rttMs !== null;
  };
  const ready = (): boolean => started.every(isReady);
  await until(ready, 'the fleet is ready');
  return {
    gateway,
    engines,
    daemons,
    apiKey: (await gateway.keys.create({ name: 'test' })).secret,
    admin: adminOf(gateway.adminUrl),
    async close() {
      await gateway.close();
      await Promise.all(daemons.map((daemon) => daemon.close()));
      await Promise.all(engines.map((engine) => engine.close()));
      rmSync(dataDir, { recursive: true });
    },
  };
}

/** Calls of the admin API at `adminUrl`. */
export function adminOf(adminUrl: string): TestFleet['admin'] {
  return async (method, path, body) => {
    const headers: Record<string, string> = { authorization: `Bearer ${ADMIN_KEY}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(`${adminUrl}${path}`, { method, headers, ...sent });
    return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
  };
}

function calm(overload: GatewayConfig['overload']): GatewayConfig['overload'] {
  const marks = (inFlightShare: number) => ({ delayMs: 600_000, heapShare: 1, inFlightShare });
  const { critical, standard, batch, calmMs } = overload;
  return { critical: marks(critical.inFlightShare), standard: marks(standard.inFlightShare), batch: marks(batch.inFlightShare), calmMs };
}

/** The configuration of a gateway on free ports. */
export function baseConfig(dataDir: string, replicas: GatewayConfig['replicas'] = []): GatewayConfig {
  const listen = { host: '127.0.0.1', port: 0 };
  return {
    ...gatewayDefaults(),
    gateway: { id: 'test', region: 'gcp-us-east4' },
    adminKey: ADMIN_KEY,
    dataDir,
    models: { [MODEL]: { contextTokens: 163_840, outputTokensMax: 32_768, bytesPerToken: 4, free: false } },
    replicas,
    listen: { public: listen, admin: listen, fleet: { ...listen, token: FLEET_TOKEN, peers: [] } },
    drain: { readinessMs: 0, streamsMs: 5_000 },
    // Many failures on purpose, and few requests between them.
    retries: { ...gatewayDefaults().retries, budgetReserve: 10_000 },
    link: { ...gatewayDefaults().link, pingMs: 50 },
    // However busy the machine of the test is, no class is refused for it; tests of that set marks of their own.
    overload: calm(gatewayDefaults().overload),
  };
}

/** Options of a node daemon in front of the engine at `url`. */
export function nodeOptions(id: string, region: string, url: string, fleetUrl: string): NodeDaemonOptions {
  return {
    node: { id, region },
    gateways: [fleetUrl],
    credentials: { kind: 'token', token: FLEET_TOKEN },
    engine: { kind: 'sglang', continuation: 'auto', url, env: {}, startTimeoutMs: 30_000, restart: { backoffMinMs: 10, backoffMaxMs: 100 } },
    canary: { ...CANARY_DEFAULTS, tokens: 0 },
    models: [MODEL],
    weightDtype: 'fp8',
    contextTokens: 163_840,
    listen: { host: '127.0.0.1', port: 0 },
    link: { ...LINK_DEFAULTS, pingMs: 200, reconnectMinMs: 20, reconnectMaxMs: 200 },
    drainMs: 5_000,
  };
}

function agentlessReplica(engine: SimEngine, i: number): GatewayConfig['replicas'][number] {
  return {
    id: `agentless-${i + 1}`,
    url: engine.url,
    region: 'oci-uk-london',
    models: [MODEL],
    engine: 'sglang',
    continuation: 'tokens',
    maxRunning: 256,
    prefillTokensPerS: 9_000,
    pollMs: 100,
    canaryTokens: 0,
  };
}

function engineUrl(engines: readonly SimEngine[], i: number): string {
  return String(engines[i]?.url);
}
