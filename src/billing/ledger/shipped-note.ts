import { MeridianError } from '../../core/index.ts';
import { readIfThere, writeDurably } from '../../store/index.ts';

/**
 * How far a shared ledger said that it has the journal, kept beside the journal: a database that knows less than that was
 * restored from an older backup.
 */
export class ShippedNote {
  readonly #file: string;

  constructor(journalPath: string) {
    this.#file = `${journalPath}.shipped`;
  }

  /** Throws `conflict` when the ledger, which has the journal up to `position`, had more of it before. */
  check(position: number): void {
    const noted = Number(readIfThere(this.#file) ?? 0);
    if (position >= noted) return;
    const message =
      `The ledger has this gateway's usage up to ${position}, and had it up to ${noted} before: the database was restored from an older backup. ` +
      "The usage is in the journal still; everything else that changed since the backup (keys, credits, invoices) is lost. If that backup is what you want, run " +
      '`meridian journal ship --after-restore` with the data directory and the configuration of each gateway, and then start them.';
    throw new MeridianError('conflict', { message });
  }

  write(position: number): void {
    writeDurably(this.#file, String(position));
  }
}
