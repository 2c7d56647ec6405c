import { MINUTE_MS, type Priority } from '../../core/index.ts';
import { requestPrice, type RequestPrice } from './charge.ts';
import { PriceBook, type PriceRow, type PriceTier } from './price-book.ts';

const TIER_OF: Readonly<Record<Priority, PriceTier>> = { critical: 'priority', standard: 'standard', batch: 'batch' };

interface Known {
  readonly minute: number;
  readonly price: RequestPrice | null;
}

/** The prices that requests are admitted at. Windows begin and end on whole minutes, so a price holds for a minute in which no row begins or ends. */
export class CurrentPrices {
  #book = new PriceBook([]);
  #edgeMinutes = new Set<number>();
  readonly #known = new Map<string, Known>();

  constructor(rows: readonly PriceRow[]) {
    this.replace(rows);
  }

  replace(rows: readonly PriceRow[]): void {
    this.#book = new PriceBook(rows);
    this.#edgeMinutes = new Set(rows.flatMap(({ effectiveFromMs, effectiveToMs }) => [effectiveFromMs, effectiveToMs ?? Infinity].map(minuteOf)));
    this.#known.clear();
  }

  /** The price for a class of requests: that of its tier, or the standard one where the book has none. Null when the model has none then. */
  at(model: string, priority: Priority, admittedAtMs: number): RequestPrice | null {
    const minute = minuteOf(admittedAtMs);
    const key = `${priority} ${model}`;
    const known = this.#known.get(key);
    if (known?.minute === minute) return known.price;
    const price = this.#find(model, TIER_OF[priority], admittedAtMs) ?? this.#find(model, 'standard', admittedAtMs);
    if (!this.#edgeMinutes.has(minute)) this.#known.set(key, { minute, price });
    return price;
  }

  #find(model: string, tier: PriceTier, admittedAtMs: number): RequestPrice | null {
    const row = this.#book.find({ model, tier, admittedAtMs });
    return row === null ? null : requestPrice(row);
  }
}

function minuteOf(atMs: number): number {
  return Math.floor(atMs / MINUTE_MS);
}
