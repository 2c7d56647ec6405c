import type { JournalTail } from '../journal/journal-tail.ts';
import type { Applied, Ledger } from './ledger.ts';
import { ratedEvents } from './rated-events.ts';

const LINES_AT_ONCE = 1_000;

/** Brings what a journal has into the ledger, in order and each once. One at a time for each journal. */
export class Shipper {
  readonly #source: string;
  readonly #tail: Pick<JournalTail, 'after'>;
  readonly #ledger: Pick<Ledger, 'apply' | 'position'>;
  readonly #onApplied: (applied: Applied) => void;

  /** `onApplied` is told of each batch what of it was new, as soon as that is durable. */
  constructor(source: string, tail: Pick<JournalTail, 'after'>, ledger: Pick<Ledger, 'apply' | 'position'>, onApplied: (applied: Applied) => void) {
    this.#source = source;
    this.#tail = tail;
    this.#ledger = ledger;
    this.#onApplied = onApplied;
  }

  /** Resolves when all is applied that the journal held when it was looked at last, with how many lines that were. */
  async ship(nowMs: number): Promise<number> {
    let position = await this.#ledger.position(this.#source);
    let lines = 0;
    let batch = this.#tail.after(position, LINES_AT_ONCE);
    while (batch.length > 0) {
      position = batch.at(-1)?.seq ?? position;
      this.#onApplied(await this.#ledger.apply({ source: this.#source, position, events: batch.flatMap(ratedEvents), nowMs }));
      lines += batch.length;
      batch = this.#tail.after(position, LINES_AT_ONCE);
    }
    return lines;
  }
}
