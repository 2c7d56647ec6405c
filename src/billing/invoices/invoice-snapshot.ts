import type { FemtoUsd } from '../../core/index.ts';
import type { PriceTier } from '../prices/price-book.ts';
import type { Party } from './party.ts';

export const TOKEN_CLASSES = ['input', 'inputCached', 'output'] as const;

export type TokenClass = (typeof TOKEN_CLASSES)[number];

/** What one price came to for one project. Amounts are exact. */
export interface InvoiceLine {
  readonly project: string;
  readonly projectName: string;
  readonly model: string;
  readonly tokenClass: TokenClass;
  readonly tier: PriceTier;
  readonly priceRow: string | null;
  readonly window: string | null;
  /** UTC month of admission; another than the invoice's for what came too late for its own. */
  readonly month: string;
  /** Tokens. */
  readonly quantity: number;
  /** Nano-dollars per million tokens. */
  readonly unitPrice: number;
  readonly amount: FemtoUsd;
}

export interface InvoiceTax {
  readonly name: string;
  readonly basisPoints: number;
  readonly amount: FemtoUsd;
}

/**
 * What an invoice says, whatever becomes of it: made from the books at one position, and kept as it is from then on.
 * `total = subtotal + rounding + taxes − credits`, and the subtotal is the sum of the lines.
 */
export interface InvoiceSnapshot {
  readonly organization: string;
  /** UTC month, as `2026-11`. */
  readonly period: string;
  /** The last event of the organization's that it counts. */
  readonly position: number;
  readonly currency: 'USD';
  readonly seller: Party | null;
  readonly buyer: Party | null;
  /** What the seller says at the foot of each invoice. */
  readonly footer: string;
  readonly lines: readonly InvoiceLine[];
  readonly subtotal: FemtoUsd;
  /** To the cent, half to even; at most half a cent either way. */
  readonly rounding: FemtoUsd;
  readonly taxes: readonly InvoiceTax[];
  /** Credit that it uses. Negative where too much was charged before: that much becomes credit. */
  readonly credits: FemtoUsd;
  /** Whole cents, 0 or more. */
  readonly total: FemtoUsd;
}

/** The snapshot as text, the same for the same snapshot; amounts as decimal text of femto-dollars. */
export function snapshotText(snapshot: InvoiceSnapshot): string {
  return JSON.stringify(snapshot, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

const AMOUNTS = new Set(['amount', 'subtotal', 'rounding', 'credits', 'total']);

export function parseSnapshot(text: string): InvoiceSnapshot {
  return JSON.parse(text, (key, value: unknown) => (AMOUNTS.has(key) && typeof value === 'string' ? BigInt(value) : value)) as InvoiceSnapshot;
}
