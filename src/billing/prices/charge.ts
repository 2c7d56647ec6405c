import { costOf, nanoUsdPerMTok, sumOf, type FemtoUsd } from '../../core/index.ts';
import type { Usage } from '../../openai/index.ts';
import type { PriceRow, PriceTier } from './price-book.ts';

/** The price a request was admitted at: as its row had it, whatever becomes of the book. Nano-dollars per million tokens. */
export interface RequestPrice {
  readonly row: string;
  readonly tier: PriceTier;
  /** The calendar window in which it was admitted; null outside of all, and where there are none. */
  readonly window: string | null;
  readonly input: number;
  readonly inputCached: number;
  readonly output: number;
}

/** What is charged, by token class. Reasoning is part of the output. */
export interface Charge {
  readonly input: FemtoUsd;
  readonly inputCached: FemtoUsd;
  readonly output: FemtoUsd;
}

export function requestPrice({ id, tier, hours, input, inputCached, output }: PriceRow): RequestPrice {
  return { row: id, tier, window: hours?.window ?? null, input: Number(input), inputCached: Number(inputCached), output: Number(output) };
}

/** Exact. Counts may be negative, as an adjustment's are; without a price nothing is charged. */
export function chargeOf({ promptTokens, cachedTokens, completionTokens }: Usage, price: RequestPrice | null | undefined): Charge {
  const { input, inputCached, output } = price ?? FREE;
  return {
    input: costOf(promptTokens - cachedTokens, nanoUsdPerMTok(input)),
    inputCached: costOf(cachedTokens, nanoUsdPerMTok(inputCached)),
    output: costOf(completionTokens, nanoUsdPerMTok(output)),
  };
}

export function chargeTotal({ input, inputCached, output }: Charge): FemtoUsd {
  return sumOf([input, inputCached, output]);
}

export function addCharges(a: Charge, b: Charge): Charge {
  return { input: sumOf([a.input, b.input]), inputCached: sumOf([a.inputCached, b.inputCached]), output: sumOf([a.output, b.output]) };
}

export const NO_CHARGE: Charge = { input: sumOf([]), inputCached: sumOf([]), output: sumOf([]) };

const FREE = { input: 0, inputCached: 0, output: 0 };
