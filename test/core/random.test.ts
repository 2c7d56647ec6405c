import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRng, systemRng, type Rng } from '../../src/core/index.ts';

function take(rng: Rng, count: number): number[] {
  return Array.from({ length: count }, () => rng.next());
}

describe('a seeded generator', () => {
  test('gives the same numbers for the same seed, and others for another', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const numbers = take(seededRng(seed), 8);
        expect(take(seededRng(seed), 8)).toEqual(numbers);
        expect(take(seededRng(seed + 1), 8)).not.toEqual(numbers);
        for (const number of numbers) expect(number >= 0 && number < 1).toBe(true);
      }),
    );
  });

  test('keeps to its published sequence, so that seeds stay good', () => {
    expect(take(seededRng(0), 3)).toEqual([0.26642920868471265, 0.0003297457005828619, 0.2232720274478197]);
  });

  test('spreads evenly', () => {
    const numbers = take(seededRng(1), 10_000);
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const count = numbers.filter((number) => Math.floor(number * 10) === tenth).length;
      expect(Math.abs(count - 1_000)).toBeLessThan(120);
    }
  });
});

test('two generators of the system go different ways', () => {
  expect(take(systemRng(), 4)).not.toEqual(take(systemRng(), 4));
});
