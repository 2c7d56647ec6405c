import type { PriceTier } from '../prices/price-book.ts';
import type { Charge } from '../prices/charge.ts';

/** Charges of one organization that share a price and a month of admission. */
export interface ChargeSum {
  /** UTC month of admission, as `2026-11`. */
  readonly month: string;
  readonly project: string;
  readonly model: string;
  readonly tier: PriceTier;
  /** Null for what costs nothing. */
  readonly priceRow: string | null;
  readonly window: string | null;
  /** Nano-dollars per million tokens. */
  readonly prices: Readonly<Record<keyof Charge, number>>;
  /** May be negative, where later truth took more back than was used. */
  readonly tokens: Readonly<Record<keyof Charge, number>>;
  readonly amounts: Charge;
}
