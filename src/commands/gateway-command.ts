import { startGateway } from '../app.ts';
import { loadGatewayConfig } from '../config/index.ts';
import { systemClock, systemRng } from '../core/index.ts';
import { jsonLog } from '../telemetry/index.ts';
import { UsageError, type Command } from './command.ts';
import { untilStopped } from './until-stopped.ts';

const STOP_MS = 10_000;

/** Runs a gateway until it is asked to stop. */
export const gatewayCommand: Command = {
  name: 'gateway',
  summary: 'run a gateway',
  usage: '--config FILE',
  options: { config: { type: 'string', value: 'FILE', help: 'The configuration, as config/gateway.yaml.' } },
  async run(words) {
    const path = words.text('config');
    if (path === undefined) throw new UsageError('--config FILE is missing');
    const config = loadGatewayConfig(path, process.env);
    const log = jsonLog({ level: config.telemetry.logLevel, clock: systemClock, stream: process.stdout });
    const gateway = await startGateway(config, { clock: systemClock, rng: systemRng(), log });
    const { publicUrl, adminUrl, fleetUrl } = gateway;
    log.info({ publicUrl, adminUrl, fleetUrl }, 'gateway is up');
    const graceMs = config.drain.readinessMs + config.drain.streamsMs + STOP_MS;
    return untilStopped(graceMs, log, () => gateway.drain());
  },
};
