import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newApiKey, type KeyStore } from '../accounts/index.ts';
import { startGateway, type Gateway } from '../app.ts';
import { loadDemoConfig, type DemoConfig } from '../config/index.ts';
import { MeridianError, systemClock, systemRng } from '../core/index.ts';
import { jsonLog } from '../telemetry/index.ts';
import type { Command, CommandWords } from './command.ts';
import { demoBanner } from './demo-banner.ts';
import { DEMO_ENV_FILE, readDemoEnv, writeDemoEnv, type DemoEnv } from './demo-env.ts';
import { RegionProcess } from './demo-region-process.ts';
import { untilStopped } from './until-stopped.ts';

const CONFIG = fileURLToPath(new URL('../../config/demo.yaml', import.meta.url));
const READY_MS_MAX = 30_000;
const STOP_MS = 5_000;

/** A gateway with a simulated fleet on real sockets: what a newcomer starts first. */
export const demoCommand: Command = {
  name: 'demo',
  summary: 'run a gateway with a simulated fleet',
  usage: '[--port PORT] [--admin-port PORT] [--data DIR] [--config FILE]',
  options: {
    port: { type: 'string', value: 'PORT', help: 'Port of the OpenAI-compatible API (default: 8080).' },
    'admin-port': { type: 'string', value: 'PORT', help: 'Port of the admin API (default: 8081).' },
    data: { type: 'string', value: 'DIR', help: 'Where keys and usage are kept (default: .meridian).' },
    config: { type: 'string', value: 'FILE', help: 'Another demo configuration than config/demo.yaml.' },
  },
  run,
};

async function run(words: CommandWords): Promise<number> {
  const directory = words.text('data') ?? '.meridian';
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const envFile = join(directory, DEMO_ENV_FILE);
  const known = readDemoEnv(envFile);
  const adminKey = known?.MERIDIAN_ADMIN_KEY ?? newApiKey('admin');
  const config = demoConfig(words, directory, adminKey);
  const logFile = join(directory, 'demo.log');
  const lines = createWriteStream(logFile, { flags: 'a' });
  const log = jsonLog({ level: config.telemetry.logLevel, clock: systemClock, stream: lines });
  const regions = config.demo.regions.map((region) => new RegionProcess(region, config, log));
  const stopRegions = (): Promise<unknown> => Promise.all(regions.map((region) => region.stop()));
  let gateway: Gateway | null = null;
  try {
    gateway = await startGateway(config, { clock: systemClock, rng: systemRng(), log });
    for (const region of regions) region.join(String(gateway.fleetUrl));
    await ready(gateway, regions, config);
    const env: DemoEnv = {
      OPENAI_BASE_URL: gateway.publicUrl,
      OPENAI_API_KEY: await demoKey(gateway.keys, known?.OPENAI_API_KEY),
      MERIDIAN_ADMIN_URL: gateway.adminUrl,
      MERIDIAN_ADMIN_KEY: adminKey,
    };
    writeDemoEnv(envFile, env);
    process.stdout.write(demoBanner(env, config.demo.regions, { envFile, logFile }));
  } catch (error) {
    await gateway?.close();
    await stopRegions();
    throw error;
  }
  return untilStopped(() => config.drain.readinessMs + config.drain.streamsMs + STOP_MS, log, async () => {
    process.stdout.write(`\nStopping; answers under way get ${config.drain.streamsMs / 1000} s.\n`);
    await gateway.drain();
    await stopRegions();
  });
}

function demoConfig(words: CommandWords, directory: string, adminKey: string): DemoConfig {
  const secrets = { MERIDIAN_ADMIN_KEY: adminKey, MERIDIAN_FLEET_TOKEN: randomBytes(24).toString('hex') };
  const config = loadDemoConfig(words.text('config') ?? CONFIG, { ...process.env, ...secrets });
  const { listen } = config;
  return {
    ...config,
    dataDir: directory,
    listen: {
      ...listen,
      public: { ...listen.public, port: words.port('port') ?? listen.public.port },
      admin: { ...listen.admin, port: words.port('admin-port') ?? listen.admin.port },
    },
  };
}

/** The key of an earlier start, as long as the store still takes it. */
async function demoKey(keys: KeyStore, known: string | undefined): Promise<string> {
  if (known !== undefined && (await keys.authenticate(known, systemClock.wallMs())).kind === 'ok') return known;
  return (await keys.create({ name: 'demo' })).secret;
}

/** Resolves once every node of the fleet is linked and ready. */
async function ready(gateway: Gateway, regions: readonly RegionProcess[], config: DemoConfig): Promise<void> {
  const nodes = config.demo.regions.reduce((sum, region) => sum + region.nodes, 0);
  const failed = Promise.race(regions.map((region) => region.failed));
  const allReady = new Promise<void>((resolve) => {
    const cancel = systemClock.every(10, () => {
      if (gateway.fleet.all().filter((replica) => replica.state === 'ready').length < nodes) return;
      cancel();
      resolve();
    });
  });
  const tooLate = new Promise<never>((_resolve, reject) => {
    const message = `The simulated fleet was not ready within ${READY_MS_MAX / 1000} s.`;
    systemClock.after(READY_MS_MAX, () => reject(new MeridianError('internal_error', { message })));
  });
  await Promise.race([allReady, failed, tooLate]);
}
