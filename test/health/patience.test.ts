import { describe, expect, test } from 'vitest';
import { Fleet, Patience } from '../../src/health/index.ts';
import { loadOf, readyReplica } from '../support/replicas.ts';

const OPTIONS = { firstTokenMs: 10_000, firstTokenFactor: 3, totalMs: 600_000, hedge: { quantile: 0.95, busyShareMax: 0.7 } };

/** Of prompts of `promptTokens` 95 in a hundred took 200 ms, and the others `slowMs`. */
function experienced(promptTokens: number, slowMs: number): Patience {
  const patience = new Patience(OPTIONS);
  for (let i = 0; i < 400; i += 1) patience.saw(promptTokens, i % 20 === 0 ? slowMs : 200);
  return patience;
}

describe('the time a first token is given', () => {
  test('is at least what is configured', () => {
    expect(new Patience(OPTIONS).firstTokenMs(1_000, 500)).toBe(10_000);
    expect(experienced(1_000, 300).firstTokenMs(1_000, 500)).toBe(10_000);
  });

  test('grows with what the slowest of its size needed, and for no other size', () => {
    const patience = experienced(100_000, 8_000);
    expect(patience.firstTokenMs(100_000, 500)).toBeGreaterThan(22_000);
    expect(patience.firstTokenMs(100_000, 500)).toBeLessThan(28_000);
    expect(patience.firstTokenMs(1_000, 500)).toBe(10_000);
  });

  test('grows with what was predicted: a long prefill is no failure', () => {
    expect(new Patience(OPTIONS).firstTokenMs(160_000, 20_000)).toBe(60_000);
    expect(new Patience(OPTIONS).firstTokenMs(160_000, 1e6)).toBe(600_000);
  });
});

describe('a hedge', () => {
  test('comes when a first token is later than nineteen in twenty of its size, and not before that is known', () => {
    expect(new Patience(OPTIONS).hedgeAfterMs(1_000)).toBeNull();
    const afterMs = experienced(1_000, 5_000).hedgeAfterMs(1_000) ?? 0;
    expect(afterMs).toBeGreaterThanOrEqual(200);
    expect(afterMs).toBeLessThan(240);
  });

  test('is for a fleet that is not busy', () => {
    const fleet = new Fleet();
    const replica = readyReplica('r', { runningMax: 100 });
    fleet.add(replica);
    const patience = new Patience(OPTIONS);
    replica.report(loadOf({ running: 60, queued: 20 }), 0, 0);
    expect(patience.isCalm('m', fleet, 0)).toBe(false);
    replica.report(loadOf({ running: 60, queued: 0 }), 0, 0);
    expect(patience.isCalm('m', fleet, 0)).toBe(true);
    replica.backlog.sent(1, 500, 0);
    expect(patience.isCalm('m', fleet, 0), 'its prefill has something to do').toBe(false);
  });
});
