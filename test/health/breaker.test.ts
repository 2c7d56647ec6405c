import { describe, expect, test } from 'vitest';
import { seededRng, type Rng } from '../../src/core/index.ts';
import { Breaker, type BreakerPass } from '../../src/health/index.ts';

const OPTIONS = { failuresMax: 3, openMs: 100, openMsMax: 1_000 };
/** Jitter of exactly one. */
const MIDDLE: Rng = { next: () => 0.5 };

function enter(breaker: Breaker, now = 0): BreakerPass {
  const pass = breaker.tryEnter(now);
  if (pass === null) throw new Error('the breaker let nothing through');
  return pass;
}

function opened(openings = 1): Breaker {
  const breaker = new Breaker(OPTIONS, MIDDLE);
  for (let i = 0; i < 3; i += 1) enter(breaker).failed(0);
  for (let i = 1; i < openings; i += 1) {
    const { state } = breaker;
    const now = state.kind === 'open' ? state.untilMs : 0;
    enter(breaker, now).failed(now);
  }
  return breaker;
}

describe('a closed breaker', () => {
  test('opens after so many failures in a row, and lets nothing through then', () => {
    const breaker = new Breaker(OPTIONS, MIDDLE);
    enter(breaker).failed(0);
    enter(breaker).failed(0);
    expect(breaker.state).toMatchObject({ kind: 'closed', failures: 2 });
    enter(breaker).failed(0);
    expect(breaker.state).toEqual({ kind: 'open', untilMs: 100, openings: 1 });
    expect(breaker.allows(99)).toBe(false);
    expect(breaker.tryEnter(99)).toBeNull();
  });

  test('forgets failures at a success, and takes no notice of what tells nothing', () => {
    const breaker = new Breaker(OPTIONS, MIDDLE);
    for (let i = 0; i < 5; i += 1) {
      enter(breaker).failed(0);
      enter(breaker).failed(0);
      enter(breaker).ignored();
      enter(breaker).progressed();
      expect(breaker.state).toMatchObject({ failures: 2 });
      enter(breaker).succeeded();
    }
    expect(breaker.state).toEqual({ kind: 'closed', failures: 0, openings: 0 });
  });
});

describe('an open breaker', () => {
  test('lets one probe through when its time is over, and no other while that one runs', () => {
    const breaker = opened();
    expect(breaker.allows(100)).toBe(true);
    enter(breaker, 100);
    expect(breaker.state).toEqual({ kind: 'half-open', openings: 1 });
    expect(breaker.tryEnter(100_000)).toBeNull();
  });

  test('closes when the probe succeeds', () => {
    const breaker = opened();
    enter(breaker, 100).succeeded();
    expect(breaker.state).toEqual({ kind: 'closed', failures: 0, openings: 0 });
  });

  test('closes on probation at the first token of the probe: one more failure opens it for longer', () => {
    const breaker = opened();
    const probe = enter(breaker, 100);
    probe.progressed();
    expect(breaker.allows(100)).toBe(true);
    probe.failed(200);
    expect(breaker.state).toEqual({ kind: 'open', untilMs: 400, openings: 2 });
  });

  test('makes way for another probe when one told nothing', () => {
    const breaker = opened();
    enter(breaker, 100).ignored();
    expect(breaker.tryEnter(100)).not.toBeNull();
  });

  test('stays open twice as long each time a probe fails, up to a bound', () => {
    const spansMs = [1, 2, 3, 4, 5, 6, 40].map((openings) => {
      const { state } = opened(openings);
      const before = openings === 1 ? null : opened(openings - 1).state;
      return state.kind === 'open' ? state.untilMs - (before?.kind === 'open' ? before.untilMs : 0) : NaN;
    });
    expect(spansMs).toEqual([100, 200, 400, 800, 1_000, 1_000, 1_000]);
  });

  test('is open for the time with half of it more or less, by chance', () => {
    const rng = seededRng(5);
    const untils = Array.from({ length: 200 }, () => {
      const breaker = new Breaker({ ...OPTIONS, failuresMax: 1 }, rng);
      enter(breaker).failed(0);
      return breaker.state.kind === 'open' ? breaker.state.untilMs : NaN;
    });
    expect(Math.min(...untils)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...untils)).toBeLessThan(150);
    expect(new Set(untils).size).toBeGreaterThan(100);
  });

  test('does not listen to attempts from before it opened', () => {
    const breaker = new Breaker(OPTIONS, MIDDLE);
    const old = Array.from({ length: 6 }, () => enter(breaker));
    for (let i = 0; i < 3; i += 1) enter(breaker).failed(0);
    old[0]?.succeeded();
    expect(breaker.state.kind).toBe('open');
    enter(breaker, 100);
    for (const [i, pass] of old.slice(1).entries()) [() => pass.failed(100), () => pass.ignored(), () => pass.progressed(), () => pass.succeeded()][i % 4]?.();
    expect(breaker.state, 'the probe alone decides').toEqual({ kind: 'half-open', openings: 1 });
  });
});
