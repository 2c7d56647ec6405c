import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway, type Gateway } from '../../src/app.ts';
import type { GatewayConfig } from '../../src/config/index.ts';
import { noLog, seededRng, systemClock, type Logger } from '../../src/core/index.ts';
import { startNodeDaemon, type NodeDaemon } from '../../src/node/index.ts';
import { startSimEngine, type SimEngine, type SimEngineOptions } from '../../src/sim/index.ts';
import { adminOf, baseConfig, MODEL, nodeOptions, type TestFleet } from './test-fleet.ts';
import { until } from './until.ts';

export interface SharedFleetOptions {
  readonly gateways: number;
  readonly engines?: number;
  readonly engine?: SimEngineOptions;
  readonly postgresUrl: string;
  /** Without it, gateways share their books only. */
  readonly redis?: GatewayConfig['redis'];
  /** Changes of every gateway's configuration. */
  readonly config?: (config: GatewayConfig, index: number) => GatewayConfig;
  readonly log?: Logger;
}

/** Several gateways on one database, in this process, each with a data directory of its own; every engine is linked to all of them. */
export interface SharedFleet {
  readonly gateways: readonly Gateway[];
  readonly engines: readonly SimEngine[];
  readonly daemons: readonly NodeDaemon[];
  /** A fresh API key without limits. */
  readonly apiKey: string;
  readonly secretsFile: string;
  admin(gateway: number): TestFleet['admin'];
  close(): Promise<void>;
}

/** Tests run the simulated engines faster than real ones. */
const TIME_SCALE = 20;

export async function startSharedFleet(options: SharedFleetOptions): Promise<SharedFleet> {
  const { postgresUrl, redis, config = (same) => same, log = noLog } = options;
  const root = mkdtempSync(join(tmpdir(), 'meridian-shared-'));
  const secretsFile = join(root, 'secrets.json');
  const engines = await Promise.all(Array.from({ length: options.engines ?? 2 }, (_, i) => startSimEngine({ model: MODEL, timeScale: TIME_SCALE, seed: i + 1, ...options.engine })));
  const gateways: Gateway[] = [];
  for (let i = 0; i < options.gateways; i += 1) {
    const base = baseConfig(join(root, `gateway-${i + 1}`));
    const own = config(
      {
        ...base,
        gateway: { id: `gateway-${i + 1}`, region: 'gcp-us-east4' },
        secretsFile,
        postgres: { url: postgresUrl, connectionsMax: 4, statementMs: 5_000, eventsKeptMonths: 0 },
        ...(redis === undefined ? {} : { redis }),
      },
      i,
    );
    gateways.push(await startGateway(own, { clock: systemClock, rng: seededRng(i + 1), log }));
  }
  const daemons = await Promise.all(
    engines.map((engine, i) => {
      const own = nodeOptions(`node-${i + 1}`, 'gcp-us-east4', engine.url, '');
      return startNodeDaemon({ ...own, gateways: gateways.map(({ fleetUrl }) => String(fleetUrl)) }, { clock: systemClock, rng: seededRng(i + 1), log });
    }),
  );
  const isReady = (): boolean => gateways.every(({ fleet }) => engines.every((_, i) => fleet.get(`node-${i + 1}`)?.state === 'ready' && fleet.get(`node-${i + 1}`)?.rttMs !== null));
  await until(isReady, 'the fleet is ready at every gateway');
  const [first] = gateways;
  if (first === undefined) throw new Error('no gateway was asked for');
  return {
    gateways,
    engines,
    daemons,
    apiKey: (await first.keys.create({ name: 'test' })).secret,
    secretsFile,
    admin: (gateway) => adminOf(String(gateways[gateway]?.adminUrl)),
    async close() {
      await Promise.all(gateways.map((gateway) => gateway.close()));
      await Promise.all(daemons.map((daemon) => daemon.close()));
      await Promise.all(engines.map((engine) => engine.close()));
      rmSync(root, { recursive: true });
    },
  };
}
