import { fileURLToPath } from 'node:url';
import { startGateway } from '../app.ts';
import { loadGatewayConfig, type GatewayConfig } from '../config/index.ts';
import { MeridianError, systemClock, systemRng, type Logger } from '../core/index.ts';
import { UsageError, type Command } from './command.ts';
import { LeveledLog, reloadOnHangUp } from './reloading.ts';
import { untilStopped } from './until-stopped.ts';
import { workersFault } from './worker-config.ts';
import { WorkerPool } from './worker-pool.ts';

/** Idle connections of clients, and what is closed at the end. */
const STOP_MS = 20_000;
const WORKERS_MAX = 64;
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const WORKER_PROGRAM = fileURLToPath(new URL(`./gateway-worker.${extension}`, import.meta.url));

/** Runs a gateway, or several on one port, until it is asked to stop. */
export const gatewayCommand: Command = {
  name: 'gateway',
  summary: 'run a gateway',
  usage: '--config FILE [--workers N]',
  options: {
    config: { type: 'string', value: 'FILE', help: 'The configuration, as config/gateway.yaml.' },
    workers: { type: 'string', value: 'N', default: '1', help: 'Processes that share the public port; SIGUSR2 replaces them one by one, SIGHUP reads FILE again.' },
  },
  async run(words) {
    const path = words.text('config');
    if (path === undefined) throw new UsageError('--config FILE is missing');
    const workers = words.number('workers') ?? 1;
    if (!Number.isInteger(workers) || workers > WORKERS_MAX) throw new UsageError(`--workers takes a whole number from 1 to ${WORKERS_MAX}`);
    const config = loadGatewayConfig(path, process.env);
    const leveled = new LeveledLog(config.telemetry.logLevel);
    return workers === 1 ? runAlone(path, config, leveled) : runWorkers(path, workers, config, leveled.log);
  },
};

async function runAlone(path: string, config: GatewayConfig, leveled: LeveledLog): Promise<number> {
  const { log } = leveled;
  const readConfig = (): GatewayConfig => {
    const next = loadGatewayConfig(path, process.env);
    leveled.follow(next);
    return next;
  };
  const gateway = await startGateway(config, { clock: systemClock, rng: systemRng(), log, readConfig });
  const { publicUrl, adminUrl, fleetUrl } = gateway;
  await gateway.listen();
  reloadOnHangUp(gateway, readConfig, log);
  log.info({ publicUrl, adminUrl, fleetUrl }, 'gateway is up');
  return untilStopped(graceMs(config), log, () => gateway.drain());
}

async function runWorkers(path: string, workers: number, config: GatewayConfig, log: Logger): Promise<number> {
  const fault = workersFault(config);
  if (fault !== null) throw new UsageError(`--workers ${workers}: ${fault}`);
  if (config.redis === undefined) log.warn({ workers }, 'without redis, each worker counts limits for itself, and nodes must be told of every worker (listen.fleet.peers)');
  const pool = new WorkerPool({ program: WORKER_PROGRAM, args: [path], workers, clock: systemClock, log });
  try {
    const urls = await pool.start();
    log.info({ publicUrl: urls[0]?.publicUrl, adminUrls: urls.map(({ adminUrl }) => adminUrl), fleetUrls: urls.map(({ fleetUrl }) => fleetUrl) }, 'gateway is up');
  } catch (error) {
    await pool.stop();
    throw new MeridianError('conflict', { message: error instanceof Error ? error.message : String(error), cause: error });
  }
  const restart = (): void => void pool.restart().catch((error: unknown) => log.error({ error: String(error) }, 'rolling restart is given up; the workers that are there go on'));
  const reload = (): void => pool.signal('SIGHUP');
  process.on('SIGUSR2', restart).on('SIGHUP', reload);
  try {
    return await untilStopped(graceMs(config) + STOP_MS, log, () => pool.stop());
  } finally {
    process.off('SIGUSR2', restart).off('SIGHUP', reload);
  }
}

function graceMs({ drain }: GatewayConfig): number {
  return 2 * drain.readinessMs + drain.streamsMs + STOP_MS;
}
