import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Backlog } from '../../src/health/index.ts';

const PER_MS = 10;

describe('the backlog of a replica', () => {
  test('is what was reported and what was sent since, draining at its rate', () => {
    const backlog = new Backlog();
    expect([backlog.isKnown, backlog.tokensAt(0, PER_MS)]).toEqual([false, 0]);
    backlog.reported(1_000, 0, 100, 0);
    expect([backlog.isKnown, backlog.tokensAt(100, PER_MS), backlog.tokensAt(150, PER_MS)]).toEqual([true, 1_000, 500]);
    backlog.sent(1, 700, 150);
    expect([backlog.tokensAt(150, PER_MS), backlog.sentSinceTokens]).toEqual([1_200, 700]);
    expect(backlog.tokensAt(200, PER_MS)).toBe(700);
    expect(backlog.tokensAt(9_000, PER_MS)).toBe(0);
  });

  test('does not count twice what a report already knows of', () => {
    const backlog = new Backlog();
    backlog.sent(1, 700, 0);
    backlog.sent(2, 300, 10);
    backlog.reported(650, 1, 20, 0);
    // It was taken before the second dispatch reached the replica, so 100 of its tokens are done by now.
    expect([backlog.sentSinceTokens, backlog.tokensAt(20, PER_MS)]).toEqual([300, 850]);
  });

  test('takes an old report for as old as the first dispatch that it does not know of', () => {
    const backlog = new Backlog();
    backlog.sent(1, 500, 1_000);
    // Comes at 5 000, yet the dispatch of 1 000 is not in it: what it told has long drained.
    backlog.reported(2_000, 0, 5_000, 0);
    expect(backlog.tokensAt(5_000, PER_MS)).toBe(0);
    expect(backlog.tokensAt(1_000, PER_MS)).toBe(2_500);
  });

  test('knows by a first token that all before it is done', () => {
    const backlog = new Backlog();
    backlog.reported(50_000, 0, 0, 0);
    backlog.sent(1, 500, 0);
    backlog.sent(2, 800, 0);
    backlog.firstToken(1, 100, 0);
    expect(backlog.tokensAt(100, PER_MS)).toBe(800);
    expect(backlog.sentSinceTokens).toBe(800);
  });

  test('is not told anything new by a report that was overtaken', () => {
    const backlog = new Backlog();
    backlog.sent(1, 500, 0);
    backlog.reported(0, 1, 10, 0);
    backlog.reported(9_000, 0, 11, 0);
    expect(backlog.tokensAt(11, PER_MS)).toBe(0);
  });

  test('believes a first token before a report that was taken earlier and came later', () => {
    const backlog = new Backlog();
    backlog.sent(1, 500, 0);
    backlog.reported(0, 0, 0, 0);
    backlog.firstToken(1, 60, 0);
    backlog.reported(400, 1, 10, 0);
    expect(backlog.tokensAt(60, PER_MS)).toBe(0);
    backlog.reported(300, 1, 70, 0);
    expect(backlog.tokensAt(70, PER_MS)).toBe(300);
  });

  test('takes a report that repeats the one before for no news, but not for ever', () => {
    const backlog = new Backlog();
    backlog.reported(8_000, 0, 0, 0);
    backlog.reported(8_000, 0, 500, 0);
    expect(backlog.tokensAt(500, PER_MS)).toBe(3_000);
    backlog.reported(8_000, 0, 2_000, 0);
    expect(backlog.tokensAt(2_000, PER_MS)).toBe(8_000);
  });

  test('forgets a dispatch that ended before its first token, and everything with its engine', () => {
    const backlog = new Backlog();
    backlog.sent(1, 500, 0);
    backlog.sent(2, 300, 0);
    backlog.gone(1);
    expect(backlog.tokensAt(0, PER_MS)).toBe(300);
    backlog.reported(100, 0, 0, 0);
    backlog.reset();
    expect([backlog.isKnown, backlog.sentSinceTokens, backlog.tokensAt(0, PER_MS)]).toEqual([false, 0, 0]);
  });

  test('is the true queue of an engine with one gateway, whatever the delay of its reports', () => {
    const arrivals = fc.array(fc.record({ gapMs: fc.nat(300), tokens: fc.integer({ min: 1, max: 3_000 }) }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 10, max: 900 }), fc.nat(3_000), (steps, reportMs, delayMs) => {
        const backlog = new Backlog();
        backlog.reported(0, 0, 0, 0);
        const engine = new FluidEngine();
        let now = 0;
        let mark = 0;
        let reportedMs = 0;
        const reports: { readonly tokens: number; readonly mark: number; readonly dueMs: number }[] = [];
        const advance = (toMs: number): void => {
          for (; reportedMs + reportMs <= toMs; reportedMs += reportMs) {
            const atMs = reportedMs + reportMs;
            reports.push({ tokens: engine.tokensAt(atMs), mark: engine.markAt(atMs), dueMs: atMs + delayMs });
          }
          while ((reports[0]?.dueMs ?? Infinity) <= toMs) {
            const due = reports.shift();
            if (due !== undefined) backlog.reported(due.tokens, due.mark, due.dueMs - delayMs, 0);
          }
        };
        for (const { gapMs, tokens } of steps) {
          now += gapMs;
          advance(now);
          mark += 1;
          engine.add(tokens, now);
          backlog.sent(mark, tokens, now);
          const [known, truth] = [backlog.tokensAt(now, PER_MS), engine.tokensAt(now)];
          expect(known).toBeCloseTo(truth, 6);
        }
      }),
    );
  });
});

/** Prefills in order at `PER_MS`. */
class FluidEngine {
  readonly #added: { readonly atMs: number; readonly doneMs: number }[] = [];

  add(tokens: number, atMs: number): void {
    const startMs = Math.max(atMs, this.#added.at(-1)?.doneMs ?? 0);
    this.#added.push({ atMs, doneMs: startMs + tokens / PER_MS });
  }

  tokensAt(now: number): number {
    const known = this.#added.filter(({ atMs }) => atMs <= now);
    return Math.max(0, (known.at(-1)?.doneMs ?? 0) - now) * PER_MS;
  }

  markAt(now: number): number {
    return this.#added.filter(({ atMs }) => atMs <= now).length;
  }
}
