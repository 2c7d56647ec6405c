declare const unit: unique symbol;

/** An amount in femto-dollars, 10⁻¹⁵ $: whole, exact, and as large as it must be. */
export type FemtoUsd = bigint & { readonly [unit]: 'femto-USD' };

/** A price in nano-dollars per million tokens: $0.07 per million is 70,000,000. */
export type NanoUsdPerMTok = bigint & { readonly [unit]: 'nano-USD per million tokens' };

const FEMTO_DIGITS = 15;

/** Throws a `RangeError` unless `price` is a whole number of nano-dollars, 0 or more, that a number holds exactly. */
export function nanoUsdPerMTok(price: number): NanoUsdPerMTok {
  if (!Number.isSafeInteger(price) || price < 0) throw new RangeError(`${price} is no price in whole nano-dollars`);
  return BigInt(price) as NanoUsdPerMTok;
}

/** What `tokens` cost, or give back when they are negative: 10⁻⁹ $ for 10⁶ tokens is 10⁻¹⁵ $ for each, so nothing is divided or rounded. */
export function costOf(tokens: number, price: NanoUsdPerMTok): FemtoUsd {
  if (!Number.isSafeInteger(tokens)) throw new RangeError(`${tokens} is no count of tokens`);
  return (BigInt(tokens) * price) as FemtoUsd;
}

export function sumOf(amounts: readonly FemtoUsd[]): FemtoUsd {
  return amounts.reduce((sum, amount) => sum + amount, 0n) as FemtoUsd;
}

/** The other way round: what one account loses another one gets. */
export function opposite(amount: FemtoUsd): FemtoUsd {
  return (0n - amount) as FemtoUsd;
}

const USD = /^(-?)(\d{1,15})(?:\.(\d{1,15}))?$/;

/** Dollars as `usdText` writes them, or with fewer decimals; null when the text is no such amount. */
export function parseUsd(text: string): FemtoUsd | null {
  const [, sign, whole, fraction = ''] = USD.exec(text) ?? [];
  if (whole === undefined) return null;
  const digits = BigInt(whole + fraction.padEnd(FEMTO_DIGITS, '0'));
  return (sign === '-' ? 0n - digits : digits) as FemtoUsd;
}

/** The amount in dollars, exact, with two decimals at least: `-0.07`, `1.000000000000001`. */
export function usdText(amount: FemtoUsd): string {
  const digits = String(amount).replace('-', '').padStart(FEMTO_DIGITS + 1, '0');
  const fraction = digits.slice(-FEMTO_DIGITS).replace(/0+$/, '').padEnd(2, '0');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -FEMTO_DIGITS)}.${fraction}`;
}

/** What a million tokens cost at a price, as price lists have it. */
export function perMillion(price: NanoUsdPerMTok): FemtoUsd {
  return costOf(1_000_000, price);
}
