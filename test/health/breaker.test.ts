import { describe, expect, test } from 'vitest';
import { seededRng, type Rng } from '../../src/core/index.ts';
import { Breaker, type BreakerOptions, type BreakerPass } from '../../src/health/index.ts';

const OPTIONS: BreakerOptions = {
  failuresMax: 3,
  successRateMin: 0.8,
  windowMs: 30_000,
  attemptsMin: 20,
  openMs: 100,
  openMsMax: 1_000,
  probes: 1,
  probeMs: 10_000,
};
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
      enter(breaker).progressed(0);
      expect(breaker.state).toMatchObject({ failures: 2 });
      enter(breaker).succeeded(0);
    }
    expect(breaker.state).toMatchObject({ kind: 'closed', failures: 0, openings: 0 });
  });
});

describe('a closed breaker that sees successes between failures', () => {
  /** One failure in `every` attempts. */
  function mixed(every: number, attempts: number): Breaker {
    const breaker = new Breaker(OPTIONS, MIDDLE);
    for (let i = 0; i < attempts && breaker.isClosed; i += 1) {
      if (i % every === 0) enter(breaker, i).failed(i);
      else enter(breaker, i).succeeded(i);
    }
    return breaker;
  }

  test('opens once too many of enough attempts failed', () => {
    expect(mixed(4, 20).isClosed, 'nineteen attempts are too few').toBe(true);
    expect(mixed(4, 24).state.kind).toBe('open');
  });

  test('stays closed while five in six succeed', () => {
    expect(mixed(6, 1_000).isClosed).toBe(true);
  });

  test('forgets what is older than its window', () => {
    const breaker = new Breaker(OPTIONS, MIDDLE);
    for (let i = 0; i < 100; i += 1) {
      const now = i * 4_000;
      enter(breaker, now).failed(now);
      enter(breaker, now).succeeded(now);
    }
    expect(breaker.isClosed, 'half of all fail, but never twenty in half a minute').toBe(true);
  });
});

describe('an open breaker', () => {
  test('lets one probe through when its time is over, and no other while that one runs', () => {
    const breaker = opened();
    expect(breaker.allows(100)).toBe(true);
    enter(breaker, 100);
    expect(breaker.state).toMatchObject({ kind: 'half-open', openings: 1 });
    expect(breaker.tryEnter(10_099)).toBeNull();
  });

  test('closes when the probe succeeds', () => {
    const breaker = opened();
    enter(breaker, 100).succeeded(100);
    expect(breaker.state).toMatchObject({ kind: 'closed', failures: 0, openings: 1 });
  });

  test('closes on probation at the first token of the probe: one more failure opens it for longer', () => {
    const breaker = opened();
    const probe = enter(breaker, 100);
    probe.progressed(100);
    expect(breaker.allows(100)).toBe(true);
    probe.failed(200);
    expect(breaker.state).toEqual({ kind: 'open', untilMs: 400, openings: 2 });
  });

  test('with several probes closes when all have brought a token, and opens at the first that failed', () => {
    const three = (): { breaker: Breaker; probes: BreakerPass[] } => {
      const breaker = new Breaker({ ...OPTIONS, probes: 3 }, MIDDLE);
      for (let i = 0; i < 3; i += 1) enter(breaker).failed(0);
      const probes = [100, 101, 102].map((now) => enter(breaker, now));
      expect(breaker.tryEnter(103)).toBeNull();
      return { breaker, probes };
    };
    const good = three();
    good.probes[0]?.progressed(200);
    good.probes[1]?.succeeded(200);
    expect(good.breaker.tryEnter(200), 'two have come, one is under way').toBeNull();
    good.probes[2]?.progressed(201);
    expect(good.breaker.isClosed).toBe(true);
    const bad = three();
    bad.probes[0]?.progressed(200);
    bad.probes[1]?.failed(200);
    expect(bad.breaker.state).toMatchObject({ kind: 'open', openings: 2 });
    bad.probes[2]?.failed(201);
    expect(bad.breaker.state, 'old news').toMatchObject({ kind: 'open', openings: 2 });
  });

  test('does not wait for ever for a probe that shows nothing', () => {
    const breaker = opened();
    enter(breaker, 100);
    expect(breaker.allows(10_099)).toBe(false);
    expect(breaker.allows(10_100)).toBe(true);
  });

  test('counts one opening less for each window it then stayed closed', () => {
    const breaker = opened(4);
    const { state } = breaker;
    const closedMs = state.kind === 'open' ? state.untilMs : 0;
    enter(breaker, closedMs).succeeded(closedMs);
    const later = closedMs + 3 * OPTIONS.windowMs;
    for (let i = 0; i < 3; i += 1) enter(breaker, later).failed(later);
    expect(breaker.state).toEqual({ kind: 'open', untilMs: later + 200, openings: 2 });
  });

  test('can be entered all the same when there is nothing better, and what comes of it counts', () => {
    const breaker = opened();
    breaker.enter(50).progressed(60);
    expect(breaker.isClosed).toBe(true);
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
    old[0]?.succeeded(0);
    expect(breaker.state.kind).toBe('open');
    enter(breaker, 100);
    for (const [i, pass] of old.slice(1).entries()) [() => pass.failed(100), () => pass.ignored(), () => pass.progressed(100), () => pass.succeeded(100)][i % 4]?.();
    expect(breaker.state, 'the probe alone decides').toMatchObject({ kind: 'half-open', openings: 1, progressed: 0 });
  });
});
