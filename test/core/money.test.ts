import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { costOf, nanoUsdPerMTok, sumOf, usdText, type FemtoUsd } from '../../src/core/index.ts';

describe('money', () => {
  test('a price of nano-dollars per million tokens gives whole femto-dollars', () => {
    expect(usdText(costOf(1_000_000, nanoUsdPerMTok(70_000_000)))).toBe('0.07');
    expect(usdText(costOf(1, nanoUsdPerMTok(1)))).toBe('0.000000000000001');
    expect(usdText(costOf(1_000_000, nanoUsdPerMTok(75_000_000_000)))).toBe('75.00');
    expect(usdText(-123n as FemtoUsd)).toBe('-0.000000000000123');
  });

  test('what is too large for a number stays exact', () => {
    expect(usdText(costOf(999_999_999_999, nanoUsdPerMTok(75_000_000_001)))).toBe('75000000.000924999999999');
  });

  test('no fraction is a price or a count, and nothing negative a price', () => {
    for (const wrong of [0.07, -1, Number.NaN, 2 ** 53]) expect(() => nanoUsdPerMTok(wrong)).toThrow(RangeError);
    for (const wrong of [0.5, Infinity]) expect(() => costOf(wrong, nanoUsdPerMTok(1))).toThrow(RangeError);
  });

  test('the sum of the parts is the cost of the whole', () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), fc.nat(), (counts, price) => {
        const parts = counts.map((tokens) => costOf(tokens, nanoUsdPerMTok(price)));
        const tokens = counts.reduce((sum, n) => sum + n, 0);
        expect(sumOf(parts)).toBe(costOf(tokens, nanoUsdPerMTok(price)));
      }),
    );
  });

  test('the text of an amount says it exactly', () => {
    fc.assert(
      fc.property(fc.bigInt(), (amount) => {
        expect(femtoOf(usdText(amount as FemtoUsd))).toBe(amount);
      }),
    );
  });
});

function femtoOf(text: string): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(`${whole}${fraction.padEnd(15, '0')}`);
}
