import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRng } from '../../src/core/index.ts';
import { Backoff } from '../../src/link/index.ts';

describe('back-off', () => {
  test('stays between its least and its most, and doubles its range', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 80 }), (seed, tries) => {
        const backoff = new Backoff({ minMs: 100, maxMs: 5_000 }, seededRng(seed));
        for (let n = 1; n <= tries; n += 1) {
          const delayMs = backoff.next();
          expect(delayMs).toBeGreaterThanOrEqual(100);
          expect(delayMs).toBeLessThanOrEqual(Math.min(5_000, 100 * 2 ** n));
        }
      }),
    );
  });

  test('does not send everybody back at the same moment, even the first time', () => {
    const first = Array.from({ length: 20 }, (_, seed) => new Backoff({ minMs: 100, maxMs: 5_000 }, seededRng(seed)).next());
    expect(new Set(first).size).toBe(20);
  });

  test('begins anew once it was reset', () => {
    const backoff = new Backoff({ minMs: 100, maxMs: 5_000 }, { next: () => 1 });
    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([200, 400, 800]);
    backoff.reset();
    expect(backoff.next()).toBe(200);
  });
});
