import type { JournalTail } from '../journal/journal-tail.ts';
import type { LedgerEvent } from './ledger-event.ts';
import type { Ledger } from './ledger.ts';
import { ratedEvents } from './rated-events.ts';

const LINES_AT_ONCE = 1_000;

export interface Shipped {
  /** Lines of the journal. */
  readonly lines: number;
  /** Events among them that differ from what was charged when the request ended. */
  readonly adjustments: readonly LedgerEvent[];
}

/** Brings what a journal has into the ledger, in order and each once. One at a time for each journal. */
export class Shipper {
  readonly #source: string;
  readonly #tail: Pick<JournalTail, 'after'>;
  readonly #ledger: Pick<Ledger, 'apply' | 'position'>;

  constructor(source: string, tail: Pick<JournalTail, 'after'>, ledger: Pick<Ledger, 'apply' | 'position'>) {
    this.#source = source;
    this.#tail = tail;
    this.#ledger = ledger;
  }

  /** Resolves when all is applied that the journal held when it was looked at last. */
  async ship(nowMs: number): Promise<Shipped> {
    let position = await this.#ledger.position(this.#source);
    let lines = 0;
    const adjustments: LedgerEvent[] = [];
    let batch = this.#tail.after(position, LINES_AT_ONCE);
    while (batch.length > 0) {
      position = batch.at(-1)?.seq ?? position;
      const fresh = await this.#ledger.apply({ source: this.#source, position, events: batch.flatMap(ratedEvents), nowMs });
      lines += batch.length;
      adjustments.push(...fresh.filter(({ kind }) => kind === 'adjustment'));
      batch = this.#tail.after(position, LINES_AT_ONCE);
    }
    return { lines, adjustments };
  }
}
