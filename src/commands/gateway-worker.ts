import { startGateway, type Gateway } from '../app.ts';
import { loadGatewayConfig } from '../config/index.ts';
import { systemClock, systemRng, type Logger } from '../core/index.ts';
import { jsonLog } from '../telemetry/index.ts';
import { runWorker, type WorkerBody } from './run-worker.ts';
import { workerConfig } from './worker-config.ts';
import type { WorkerOrder } from './worker-messages.ts';

/** The program of one worker: a gateway with a directory and a name of its own, at a public port that it shares. */
const STOP_MS = 10_000;

async function start(order: WorkerOrder): Promise<WorkerBody> {
  const { file } = order;
  const source = { file, read: () => workerConfig(loadGatewayConfig(file, process.env), order) };
  const config = source.read();
  let running: Gateway | null = null;
  const log = named(config.gateway.id, jsonLog({ level: () => (running?.config() ?? config).telemetry.logLevel, clock: systemClock, stream: process.stdout }));
  const gateway = await startGateway(config, { clock: systemClock, rng: systemRng(), log, source, isDoorShut: true });
  running = gateway;
  return {
    ...gateway,
    log,
    isReady: () => gateway.unreadyReasons().length === 0,
    serving: () => gateway.fleet.all().filter((replica) => replica.isHealthy(systemClock.now())).length,
    graceMs: () => gateway.config().drain.readinessMs + gateway.config().drain.streamsMs + STOP_MS,
  };
}

/** Each line tells which worker it is of. */
function named(gateway: string, log: Logger): Logger {
  return {
    debug: (fields, message) => log.debug({ gateway, ...fields }, message),
    info: (fields, message) => log.info({ gateway, ...fields }, message),
    warn: (fields, message) => log.warn({ gateway, ...fields }, message),
    error: (fields, message) => log.error({ gateway, ...fields }, message),
  };
}

process.exitCode = await runWorker(start);
// What is still open (a connection to a database that hangs) must not keep a worker that is done.
process.exit();
