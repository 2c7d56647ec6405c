import { bookChangeFaults, type PriceDesk } from '../billing/index.ts';
import { ConfigError, takeChanges, type GatewayConfig } from '../config/index.ts';
import { InTurn, MeridianError, type Clock, type Logger } from '../core/index.ts';
import type { LiveConfig } from './live-config.ts';
import { isLive } from './live-paths.ts';
import { readPrices } from './open-prices.ts';
import type { TlsFiles } from './tls-files.ts';

/** Where a gateway's configuration comes from, to be read again. */
export interface ConfigSource {
  readonly file: string;
  /** Throws a `ConfigError`. */
  read(): GatewayConfig;
}

/** What came of reading the configuration again, by paths as the file spells them. */
export interface ReloadReport {
  readonly applied: readonly string[];
  /** Others in the file than what is gone by, until the gateway is started anew. */
  readonly needsRestart: readonly string[];
}

interface ReloadOptions {
  /** Null for a gateway that was not started from a file. */
  readonly source: ConfigSource | null;
  readonly live: LiveConfig;
  readonly priceDesk: PriceDesk;
  readonly certificates: readonly TlsFiles[];
  /** Hands every part what it goes by from now on. It must not throw. */
  readonly apply: (config: GatewayConfig) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Reads the configuration again while the gateway runs: a faulty one changes nothing, of a good one all that can change does. */
export class ConfigReload {
  readonly #options: ReloadOptions;
  readonly #turns = new InTurn();

  constructor(options: ReloadOptions) {
    this.#options = options;
  }

  /** Rejects with `invalid_value` and all faults when the file cannot be used, and with `conflict` when there is none. */
  run(): Promise<ReloadReport> {
    return this.#turns.run(async () => {
      const { log } = this.#options;
      try {
        const report = await this.#reload();
        const { applied, needsRestart } = report;
        if (needsRestart.length > 0) log.warn({ applied, needsRestart }, 'the configuration is read again; a part of it needs a restart');
        else log.info({ applied }, applied.length === 0 ? 'the configuration is read again and says what it said' : 'the configuration is read again');
        return report;
      } catch (thrown) {
        const error = thrown instanceof ConfigError ? new MeridianError('invalid_value', { message: `The configuration is not taken, and what was gone by goes on. ${thrown.message}`, cause: thrown }) : thrown;
        log.error({ error }, 'the configuration is not taken, and what was gone by goes on');
        throw error;
      }
    });
  }

  async #reload(): Promise<ReloadReport> {
    const { source, live, priceDesk, certificates, apply, clock } = this.#options;
    if (source === null) throw new MeridianError('conflict', { message: 'This gateway was not started from a file that could be read again.' });
    const { config, taken, left } = takeChanges(live.config, source.read(), isLive, source.file);
    const renewed = certificates.flatMap((files) => {
      const serve = changedOf(files, source.file);
      return serve === null ? [] : [{ path: files.path, serve }];
    });
    const nowMs = clock.wallMs();
    const { file, rows } = readPrices(config, nowMs);
    const faults = bookChangeFaults(priceDesk.fileRows, rows, nowMs);
    if (faults.length > 0) throw new ConfigError(file, faults.map((message) => ({ line: null, path: 'prices', message })));
    // The last thing that may be refused.
    const isRepriced = await priceDesk.useFile(rows);
    for (const { serve } of renewed) serve();
    live.replace(config);
    apply(config);
    const applied = new Set([...taken, ...renewed.map(({ path }) => path), ...(isRepriced ? ['prices_file'] : [])]);
    return { applied: [...applied], needsRestart: left };
  }
}

function changedOf(files: TlsFiles, file: string): (() => void) | null {
  try {
    return files.changed();
  } catch (error) {
    const message = `cannot be used: ${error instanceof Error ? error.message : String(error)}`;
    throw new ConfigError(file, [{ line: null, path: files.path, message }], error);
  }
}
