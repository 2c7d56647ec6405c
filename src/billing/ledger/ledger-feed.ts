import type { Cancel, Clock, Logger } from '../../core/index.ts';
import type { Journal } from '../journal/journal.ts';
import type { LedgerService } from './ledger-protocol.ts';

export interface LedgerFeedOptions {
  readonly ledger: Pick<LedgerService, 'ship'>;
  readonly journal: Pick<Journal, 'flush'>;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps the ledger up with the journal. What cannot be applied now stays in the journal, and is tried again at the next beat. */
export class LedgerFeed {
  readonly #options: LedgerFeedOptions;
  readonly #stop: Cancel;
  #underWay: Promise<void> | null = null;
  #isBehind = false;

  constructor(options: LedgerFeedOptions) {
    this.#options = options;
    this.#stop = options.clock.every(options.everyMs, () => {
      // One that takes longer than a beat is enough.
      if (this.#underWay !== null) return;
      this.#underWay = this.catchUp().catch(() => {}).finally(() => {
        this.#underWay = null;
      });
    });
  }

  /** The ledger did not take the journal's newest lines when it was last tried. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Resolves once the ledger has what was given to the journal until now. Rejects when it cannot take it. */
  async catchUp(): Promise<void> {
    const { ledger, journal, clock, log } = this.#options;
    try {
      await journal.flush();
      await ledger.ship(clock.wallMs());
      if (this.#isBehind) log.info({}, 'the ledger takes usage again');
      this.#isBehind = false;
    } catch (error) {
      if (!this.#isBehind) log.error({ error: String(error) }, 'usage stays in the journal: the ledger does not take it');
      this.#isBehind = true;
      throw error;
    }
  }

  /** Brings over what there is, and stops. */
  async close(): Promise<void> {
    this.#stop();
    await this.#underWay;
    // Said in the log if it fails; the journal keeps it for the next start.
    await this.catchUp().catch(() => {});
  }
}
