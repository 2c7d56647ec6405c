import type { NanoUsdPerMTok } from '../../core/index.ts';
import { windowAt, type PriceCalendar } from './price-calendar.ts';

export type PriceTier = 'standard' | 'priority' | 'batch';

/** Prices of one model in one tier, from one instant to another. */
export interface PriceRow {
  /** By what it says (`priceId`). */
  readonly id: string;
  readonly model: string;
  readonly tier: PriceTier;
  /** Wall time in milliseconds since the epoch. */
  readonly effectiveFromMs: number;
  /** Not part of it; null: for good. */
  readonly effectiveToMs: number | null;
  /** Null: at all hours. Else inside `window` of the calendar, or, where that is null, outside all of its windows. */
  readonly hours: { readonly calendar: PriceCalendar; readonly window: string | null } | null;
  /** Prompt tokens that were not cached. */
  readonly input: NanoUsdPerMTok;
  readonly inputCached: NanoUsdPerMTok;
  /** Answer tokens, reasoning among them. */
  readonly output: NanoUsdPerMTok;
}

/** What is asked of the book. */
export interface PriceQuery {
  readonly model: string;
  readonly tier: PriceTier;
  /** The instant of admission: what was admitted is never priced by a later row. */
  readonly admittedAtMs: number;
}

/** Dated prices. Of rows that `priceBookFaults` finds nothing wrong with, one at most holds at any instant. */
export class PriceBook {
  readonly #rows = new Map<string, PriceRow[]>();

  constructor(rows: readonly PriceRow[]) {
    for (const row of rows) {
      const series = this.#rows.get(seriesOf(row));
      if (series === undefined) this.#rows.set(seriesOf(row), [row]);
      else series.push(row);
    }
  }

  /** The row that holds then; null when none does. */
  find(query: PriceQuery): PriceRow | null {
    return this.#rows.get(seriesOf(query))?.find((row) => holds(row, query.admittedAtMs)) ?? null;
  }
}

/** Rows of one series must not meet. */
export function seriesOf({ model, tier }: Pick<PriceRow, 'model' | 'tier'>): string {
  return `${model}\0${tier}`;
}

function holds({ effectiveFromMs, effectiveToMs, hours }: PriceRow, atMs: number): boolean {
  if (atMs < effectiveFromMs || (effectiveToMs !== null && atMs >= effectiveToMs)) return false;
  return hours === null || windowAt(hours.calendar, atMs) === hours.window;
}
