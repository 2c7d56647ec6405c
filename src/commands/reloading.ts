import type { Gateway } from '../app.ts';
import type { GatewayConfig } from '../config/index.ts';
import { systemClock, type Logger } from '../core/index.ts';
import { jsonLog } from '../telemetry/index.ts';

/** A log whose level follows the configuration. */
export class LeveledLog {
  readonly log: Logger;
  #level: GatewayConfig['telemetry']['logLevel'];

  constructor(level: GatewayConfig['telemetry']['logLevel']) {
    this.#level = level;
    this.log = jsonLog({ level: () => this.#level, clock: systemClock, stream: process.stdout });
  }

  follow({ telemetry }: GatewayConfig): void {
    this.#level = telemetry.logLevel;
  }
}

/** From now on SIGHUP has the gateway read its configuration again; one that is faulty is said in the log, and changes nothing. */
export function reloadOnHangUp(gateway: Gateway, read: () => GatewayConfig, log: Logger): void {
  process.on('SIGHUP', () => {
    Promise.try(() => gateway.reload(read())).catch((error: unknown) => log.error({ error: error instanceof Error ? error.message : String(error) }, 'the configuration could not be read again; the one before holds'));
  });
}
