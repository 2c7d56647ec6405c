import type { FemtoUsd } from '../../core/index.ts';

/** A cent in femto-dollars. */
const CENT = 10n ** 13n;
const BASIS = 10_000n;

/** To the cent; a half goes to the even one. */
export function roundCents(amount: FemtoUsd): FemtoUsd {
  return (halfEven(amount, CENT) * CENT) as FemtoUsd;
}

/** Whole cents, and nothing above `amount`, which is 0 or more. */
export function floorCents(amount: FemtoUsd): FemtoUsd {
  return (amount - (amount % CENT)) as FemtoUsd;
}

/** A tax of `basisPoints` hundredths of a per cent, to the cent; a half goes to the even one. */
export function taxOf(amount: FemtoUsd, basisPoints: number): FemtoUsd {
  return (halfEven(amount * BigInt(basisPoints), BASIS * CENT) * CENT) as FemtoUsd;
}

/** `amount · part / whole`, to the cent; a half goes to the even one. `whole` is above 0. */
export function partInCents(amount: FemtoUsd, part: FemtoUsd, whole: FemtoUsd): FemtoUsd {
  return (halfEven(amount * part, whole * CENT) * CENT) as FemtoUsd;
}

function halfEven(value: bigint, unit: bigint): bigint {
  const floor = value / unit - (value % unit < 0n ? 1n : 0n);
  const twice = 2n * (value - floor * unit);
  if (twice === unit) return floor % 2n === 0n ? floor : floor + 1n;
  return twice > unit ? floor + 1n : floor;
}
