import { startGateway, type ConfigSource, type Gateway } from '../app.ts';
import { loadGatewayConfig, type GatewayConfig } from '../config/index.ts';
import { systemClock, systemRng } from '../core/index.ts';
import { jsonLog } from '../telemetry/index.ts';
import { UsageError, type Command } from './command.ts';
import { runWorkers } from './gateway-workers.ts';
import { untilStopped } from './until-stopped.ts';

const STOP_MS = 10_000;
/** A machine with more cores than that has other bounds first. */
const WORKERS_MAX = 128;

/** Runs a gateway until it is asked to stop. */
export const gatewayCommand: Command = {
  name: 'gateway',
  summary: 'run a gateway',
  usage: '--config FILE [--workers N]',
  options: {
    config: { type: 'string', value: 'FILE', help: 'The configuration, as config/gateway.yaml.' },
    workers: { type: 'string', value: 'N', default: '1', help: 'Processes that share the public port and the load. More than one need PostgreSQL.' },
  },
  async run(words) {
    const path = words.text('config');
    if (path === undefined) throw new UsageError('--config FILE is missing');
    const workers = words.number('workers') ?? 1;
    if (!Number.isInteger(workers) || workers > WORKERS_MAX) throw new UsageError(`--workers takes a whole number from 1 to ${WORKERS_MAX}, not '${words.text('workers')}'`);
    if (workers > 1) return runWorkers(path, workers);
    return runGateway({ file: path, read: () => loadGatewayConfig(path, process.env) });
  },
};

async function runGateway(source: ConfigSource): Promise<number> {
  const config = source.read();
  let gateway: Gateway | null = null;
  const configNow = (): GatewayConfig => gateway?.config() ?? config;
  const log = jsonLog({ level: () => configNow().telemetry.logLevel, clock: systemClock, stream: process.stdout });
  const started = await startGateway(config, { clock: systemClock, rng: systemRng(), log, source });
  gateway = started;
  const { publicUrl, adminUrl, fleetUrl } = started;
  const graceMs = (): number => configNow().drain.readinessMs + configNow().drain.streamsMs + STOP_MS;
  // What is wrong with the file is in the log.
  const stopped = untilStopped(graceMs, log, () => started.drain(), { SIGHUP: () => void started.reload().catch(() => {}) });
  // Whoever reads this may send a signal at once.
  log.info({ publicUrl, adminUrl, fleetUrl }, 'gateway is up');
  return stopped;
}
