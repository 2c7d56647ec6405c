import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DispatchLog } from '../../src/health/index.ts';

/** The same by the definition: keep everything, and sum up what is neither reported nor done. */
class NaiveLog {
  readonly #sent = new Map<number, number>();
  readonly #done = new Set<number>();
  #reported = 0;

  sent(mark: number, tokens: number): void {
    this.#sent.set(mark, tokens);
  }

  reported(mark: number): void {
    this.#reported = Math.max(this.#reported, mark);
  }

  done(mark: number): void {
    this.#done.add(mark);
  }

  get sentSinceTokens(): number {
    let sum = 0;
    for (const [mark, tokens] of this.#sent) if (mark > this.#reported && !this.#done.has(mark)) sum += tokens;
    return sum;
  }
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('sent' as const), tokens: fc.nat(50_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('done' as const), back: fc.nat(20) }) },
  // Reports may come late, twice, or out of order.
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reported' as const), back: fc.nat(20) }) },
);

test('knows what was sent since the newest report, whatever comes in whatever order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const log = new DispatchLog();
      const naive = new NaiveLog();
      let mark = 0;
      for (const one of steps) {
        if (one.kind === 'sent') {
          mark += 1;
          log.sent(mark, one.tokens);
          naive.sent(mark, one.tokens);
        } else {
          const past = Math.max(0, mark - one.back);
          log[one.kind](past);
          naive[one.kind](past);
        }
        expect(log.sentSinceTokens).toBe(naive.sentSinceTokens);
      }
    }),
  );
});
