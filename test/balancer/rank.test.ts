import { describe, expect, test } from 'vitest';
import { costTerms, rank, TokenRatio, totalMs, type ReplicaSnapshot } from '../../src/balancer/index.ts';
import { seededRng } from '../../src/core/index.ts';

const OPTIONS = { prefillTokensPerS: 10_000, rttMs: 100, queuedTokens: 20_000, tieMs: 2 };

function replica(id: string, more: Partial<ReplicaSnapshot> = {}): ReplicaSnapshot {
  return { id, region: 'here', rttMs: 1, queuedUncachedTokens: 0, sentSinceTokens: 0, prefillTokensPerS: null, ...more };
}

function order(replicas: readonly ReplicaSnapshot[], seed = 1): string[] {
  return rank(1_000, replicas, OPTIONS, seededRng(seed)).map(({ id }) => id);
}

describe('the predicted cost', () => {
  test('is distance, work ahead and own prefill, in milliseconds', () => {
    const one = replica('a', { rttMs: 30, queuedUncachedTokens: 4_000, sentSinceTokens: 1_000, prefillTokensPerS: 5_000 });
    const terms = costTerms(2_000, one, OPTIONS);
    expect(terms).toEqual({ rttMs: 30, queueMs: 1_000, prefillMs: 400 });
    expect(totalMs(terms)).toBe(1_430);
  });

  test('takes what is unknown as unknown, and never as zero', () => {
    const terms = costTerms(1_000, replica('a', { rttMs: null, queuedUncachedTokens: null }), OPTIONS);
    expect(terms).toEqual({ rttMs: 100, queueMs: 2_000, prefillMs: 100 });
  });

  test('counts what we sent on top of a queue that is unknown', () => {
    const terms = costTerms(0, replica('a', { queuedUncachedTokens: null, sentSinceTokens: 5_000 }), OPTIONS);
    expect(terms.queueMs).toBe(2_500);
  });
});

describe('the ranking', () => {
  test('puts the least cost first', () => {
    const near = replica('near', { queuedUncachedTokens: 3_000 });
    const far = replica('far', { rttMs: 70 });
    const fast = replica('fast', { rttMs: 10, prefillTokensPerS: 40_000 });
    expect(order([near, far, fast])).toEqual(['fast', 'far', 'near']);
  });

  test('puts a replica that has told nothing behind one that is known to be free, and before one that is known to be busier', () => {
    const free = replica('free');
    const silent = replica('silent', { queuedUncachedTokens: null });
    const busy = replica('busy', { queuedUncachedTokens: 30_000 });
    expect(order([busy, silent, free])).toEqual(['free', 'silent', 'busy']);
  });

  test('leaves near-ties to chance, and nothing else', () => {
    const ties = [replica('a'), replica('b', { rttMs: 2 }), replica('c', { rttMs: 3 })];
    const firsts = new Map<string, number>();
    for (let seed = 1; seed <= 600; seed += 1) {
      const [first = '', , , last] = order([...ties, replica('d', { rttMs: 4 })], seed);
      firsts.set(first, (firsts.get(first) ?? 0) + 1);
      expect(last).toBe('d');
    }
    for (const id of ['a', 'b', 'c']) expect(firsts.get(id)).toBeGreaterThan(140);
  });

  test('is the same for the same chance', () => {
    const many = Array.from({ length: 20 }, (_, i) => replica(`r${i}`));
    expect(order(many, 7)).toEqual(order(many, 7));
    expect(order(many, 7)).not.toEqual(order(many, 8));
  });

  test('of nobody is nobody', () => {
    expect(order([])).toEqual([]);
  });
});

describe('the token ratio', () => {
  test('begins with what it is told, and comes near what is reported, for each model apart', () => {
    const ratio = new TokenRatio();
    expect(ratio.estimate('m', 401)).toBe(101);
    for (let i = 0; i < 500; i += 1) ratio.learn('m', 1_000, 500);
    expect(ratio.estimate('m', 1_000)).toBeCloseTo(500, -1);
    expect(ratio.estimate('n', 1_000)).toBe(250);
    const told = new TokenRatio([['m', 2], ['n', 5]]);
    expect([told.estimate('m', 1_000), told.estimate('n', 1_000), told.estimate('o', 1_000)]).toEqual([500, 200, 250]);
  });

  test('is not led astray by one odd report', () => {
    const ratio = new TokenRatio();
    ratio.learn('m', 4_000_000, 1);
    ratio.learn('m', 100, 0);
    expect(ratio.estimate('m', 1_000)).toBeGreaterThan(180);
  });
});
