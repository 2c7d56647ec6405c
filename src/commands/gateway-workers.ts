import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadGatewayConfig, type GatewayConfig } from '../config/index.ts';
import { systemClock } from '../core/index.ts';
import { loadSecrets } from '../store/index.ts';
import { jsonLog } from '../telemetry/index.ts';
import { untilStopped } from './until-stopped.ts';
import { checkWorkers, secretsFileOf } from './worker-config.ts';
import { WorkerPool } from './worker-pool.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const WORKER_PROGRAM = fileURLToPath(new URL(`./gateway-worker.${extension}`, import.meta.url));
/** Beyond what a worker gives itself, so that it ends by itself. */
const STOP_MS = 15_000;

/** Runs a gateway as several workers at one port. Throws a `ConfigError` when it cannot be one. */
export function runWorkers(file: string, workers: number): Promise<number> {
  const config = loadGatewayConfig(file, process.env);
  checkWorkers(config, workers, file);
  return superviseWorkers({ file, workers, program: WORKER_PROGRAM, config });
}

interface Supervised {
  readonly file: string;
  readonly workers: number;
  readonly program: string;
  readonly config: GatewayConfig;
}

/** SIGHUP has all workers read the configuration again, SIGUSR2 replaces them one after the other. Resolves with the exit code. */
export async function superviseWorkers({ file, workers, program, config: begun }: Supervised): Promise<number> {
  let config = begun;
  const log = jsonLog({ level: () => config.telemetry.logLevel, clock: systemClock, stream: process.stdout });
  if (config.redis === undefined) log.warn({ workers }, 'there is no redis: limits are counted by each worker for itself, so that a key can use each of its limits as often as there are workers');
  shareSecrets(config);
  const pool = new WorkerPool({ program, file, workers, publicPort: config.listen.public.port, clock: systemClock, log });
  // Should this process end before they have.
  process.on('exit', () => pool.kill());
  const up = await pool.start();
  const graceMs = (): number => config.drain.readinessMs + config.drain.streamsMs + STOP_MS;
  let isWell = true;
  const stopped = untilStopped(graceMs, log, async () => void (isWell = await pool.stop()), { SIGHUP: reload, SIGUSR2: roll });
  // Whoever reads this may send a signal at once.
  log.info({ ...up }, 'gateway is up');
  const code = await stopped;
  return isWell ? code : 1;

  function reload(): void {
    try {
      config = loadGatewayConfig(file, process.env);
    } catch (error) {
      return log.error({ error }, 'the configuration is not taken, and what was gone by goes on');
    }
    pool.reload();
  }

  function roll(): void {
    pool.roll().catch((error: unknown) => log.error({ reason: error instanceof Error ? error.message : String(error) }, 'the rolling restart has stopped'));
  }
}

/** Makes the secrets before any worker starts: two that start at once would each make their own. */
function shareSecrets(config: GatewayConfig): void {
  const file = secretsFileOf(config);
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  loadSecrets(file);
}
