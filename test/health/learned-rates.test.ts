import { describe, expect, test } from 'vitest';
import { CacheTrust, FailureRate, LinearFit, Pace, PACE_PRIOR } from '../../src/health/index.ts';

describe('a line learned as it goes', () => {
  const PRIOR = { intercept: 10, slope: 1, atX: 100, weight: 4 };

  test('begins with what was assumed, and comes to what is seen', () => {
    const fit = new LinearFit(PRIOR, 100);
    expect([fit.at(0), fit.at(50)]).toEqual([10, 60]);
    for (let i = 0; i < 400; i += 1) fit.add(i % 80, 30 + 2 * (i % 80));
    expect(fit.slope).toBeCloseTo(2, 1);
    expect(fit.intercept).toBeCloseTo(30, -1);
  });

  test('stays sensible where all it sees is alike, or nonsense', () => {
    const fit = new LinearFit(PRIOR, 100);
    for (let i = 0; i < 400; i += 1) fit.add(50, 60);
    fit.add(Number.NaN, 1);
    fit.add(1, Infinity);
    expect(fit.at(50)).toBeCloseTo(60, 1);
    expect(fit.slope).toBeGreaterThan(0);
    for (let i = 0; i < 400; i += 1) fit.add(i % 80, 1_000 - i);
    expect(fit.slope).toBeGreaterThan(0);
    expect(fit.intercept).toBeGreaterThanOrEqual(0);
  });
});

describe('the pace of a replica', () => {
  test('is learned from first tokens, and follows an engine that gets slower', () => {
    const pace = new Pace(PACE_PRIOR);
    expect(pace.prefillTokensPerMs).toBeCloseTo(9);
    for (const perMs of [12, 5]) {
      for (let i = 0; i < 1_000; i += 1) {
        const tokens = 500 + (i % 20) * 400;
        pace.sawFirstToken(tokens, 0, 25 + tokens / perMs);
      }
      expect(Math.abs(pace.prefillTokensPerMs / perMs - 1)).toBeLessThan(0.05);
    }
  });

  test('is not led astray by a first token that something else held up', () => {
    const pace = new Pace(PACE_PRIOR);
    for (let i = 0; i < 100; i += 1) pace.sawFirstToken(1_000, 0, 60_000);
    expect(pace.prefillTokensPerMs).toBeCloseTo(9);
  });

  test('of decoding comes from load reports', () => {
    const pace = new Pace(PACE_PRIOR);
    // 30 ms a step at a batch of 10, 50 ms at 30.
    for (let i = 0; i < 4_000; i += 1) {
      pace.sawDecoding(10, 10_000 / 30);
      pace.sawDecoding(30, 30_000 / 50);
    }
    expect(pace.tpotMs(20)).toBeGreaterThan(37);
    expect(pace.tpotMs(20)).toBeLessThan(43);
    pace.sawDecoding(0, 100);
    expect(pace.tpotMs(20)).toBeGreaterThan(37);
  });
});

describe('trust in a mirror', () => {
  test('is the part that was really cached, learned by tokens and begun anew with another engine', () => {
    const trust = new CacheTrust();
    expect(trust.value).toBe(1);
    for (let i = 0; i < 500; i += 1) trust.saw(4_000, 1_000);
    expect(trust.value).toBeCloseTo(0.25, 2);
    trust.saw(0, 5_000);
    expect(trust.value).toBeCloseTo(0.25, 2);
    trust.reset();
    expect(trust.value).toBe(1);
  });

  test('never takes luck for knowledge', () => {
    const trust = new CacheTrust();
    for (let i = 0; i < 500; i += 1) trust.saw(100, 50_000);
    expect(trust.value).toBeLessThanOrEqual(1.25);
  });
});

test('the failure rate rises with failures, falls with successes, and is half forgotten every 30 s', () => {
  const failures = new FailureRate();
  expect(failures.at(0)).toBe(0);
  for (let i = 0; i < 100; i += 1) failures.saw(true, 0);
  const high = failures.at(0);
  expect(high).toBeGreaterThan(0.99);
  expect(failures.at(30_000)).toBeCloseTo(high / 2);
  failures.saw(false, 0);
  expect(failures.at(0)).toBeLessThan(high);
});
