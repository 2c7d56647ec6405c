import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rank, type Ranking } from '../../src/balancer/index.ts';
import { seededRng } from '../../src/core/index.ts';
import type { Replica } from '../../src/health/index.ts';
import { readyReplica, reportingReplica } from '../support/replicas.ts';
import { RANK_OPTIONS } from './rank-options.ts';

const REQUEST = { promptTokens: 1_000, outputTokens: 100, othersWeight: 0 };

interface Given {
  readonly seed?: number;
  readonly holder?: Replica;
  readonly session?: string;
  readonly mirrored?: (replica: Replica) => number;
  readonly exploreShare?: number;
  readonly now?: number;
}

function ranking(replicas: readonly Replica[], given: Given = {}): Ranking<Replica> {
  const { seed = 1, holder = null, session = null, mirrored = () => 0, exploreShare = 0, now = 0 } = given;
  const inputs = { mirroredTokens: mirrored, holder, session };
  return rank(REQUEST, replicas, inputs, now, { ...RANK_OPTIONS, exploreShare }, seededRng(seed));
}

function order(replicas: readonly Replica[], given: Given = {}): string[] {
  return ranking(replicas, given).candidates.map(({ replica }) => replica.identity.id);
}

/** How often each replica is first, over many seeds. */
function firsts(replicas: readonly Replica[], seeds: number, given: Given = {}): Map<string, number> {
  const counts = new Map<string, number>();
  for (let seed = 1; seed <= seeds; seed += 1) {
    const [first = ''] = order(replicas, { ...given, seed });
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  return counts;
}

describe('the ranking', () => {
  test('puts the least cost first', () => {
    const near = reportingReplica('near', 1, 3_000);
    const far = reportingReplica('far', 70, 0);
    const mid = reportingReplica('mid', 30, 0);
    expect(order([near, far, mid])).toEqual(['mid', 'far', 'near']);
  });

  test('puts the holder of the prefix first, until waiting there costs more than prefilling anew', () => {
    const mirrored = (replica: Replica): number => (replica.identity.id === 'holder' ? 900 : 0);
    const free = reportingReplica('free', 1, 0);
    expect(order([free, reportingReplica('holder', 1, 500)], { mirrored })).toEqual(['holder', 'free']);
    expect(order([free, reportingReplica('holder', 1, 2_000)], { mirrored })).toEqual(['free', 'holder']);
  });

  test('believes the mirror of a replica as far as it proved true', () => {
    const liar = reportingReplica('liar', 1, 0);
    for (let i = 0; i < 200; i += 1) liar.trust.saw(10_000, 0);
    const [first] = ranking([liar], { mirrored: () => 900 }).candidates;
    expect(first?.mirroredTokens).toBe(900);
    expect(first?.cachedTokens).toBeLessThan(20);
  });

  test('puts a replica that has told nothing behind one that is known to be free, and before one that is known to be busier', () => {
    const free = reportingReplica('free', 1, 0);
    const busy = reportingReplica('busy', 1, 40_000);
    expect(order([busy, readyReplica('silent'), free])).toEqual(['free', 'silent', 'busy']);
  });

  test('leaves near-ties to chance, and nothing else', () => {
    const ties = [reportingReplica('a', 1, 0), reportingReplica('b', 2, 0), reportingReplica('c', 3, 0)];
    const counts = firsts([...ties, reportingReplica('d', 4, 0)], 600);
    for (const id of ['a', 'b', 'c']) expect(counts.get(id)).toBeGreaterThan(140);
    expect(counts.has('d')).toBe(false);
  });

  test('keeps a session with its replica inside the band, and not beyond', () => {
    const best = reportingReplica('best', 1, 0);
    const near = reportingReplica('near', 28, 0);
    const dear = reportingReplica('dear', 60, 0);
    expect(ranking([best, near, dear], { holder: near })).toMatchObject({ chosenBy: 'session' });
    expect(order([best, near, dear], { holder: near })[0]).toBe('near');
    expect(order([best, near, dear], { holder: dear })[0]).toBe('best');
  });

  test('explores as often as it is told to, and never at a high price', () => {
    const replicas = [reportingReplica('best', 1, 0), reportingReplica('near', 40, 0), reportingReplica('dear', 400, 0)];
    replicas[0]?.enter(0);
    const counts = firsts(replicas, 1_000, { exploreShare: 0.1 });
    expect(counts.get('near')).toBeGreaterThan(60);
    expect(counts.get('near')).toBeLessThan(140);
    expect(counts.has('dear')).toBe(false);
  });

  test('without fresh reports keeps a session together by its hash, whichever replicas come and go', () => {
    const silent = Array.from({ length: 8 }, (_, i) => readyReplica(`r${i}`));
    const session = 'conversation 7';
    const { candidates, chosenBy } = ranking(silent, { session });
    const held = candidates[0]?.replica;
    expect(chosenBy).toBe('session-hash');
    expect(firsts(silent, 50, { session }).size).toBe(1);
    const fewer = silent.filter((replica) => replica === held || replica.identity.id > 'r3');
    expect(order(fewer, { session })[0]).toBe(held?.identity.id);
  });

  test('without fresh reports and without a session takes the less busy one of two', () => {
    const silent = [readyReplica('a'), readyReplica('b')];
    for (let i = 0; i < 5; i += 1) silent[0]?.enter(0);
    const counts = firsts(silent, 400);
    // `a` only when both choices fall on it.
    expect(counts.get('a')).toBeLessThan(150);
    expect(counts.get('b')).toBeGreaterThan(250);
  });

  test('is the same for the same chance', () => {
    const many = Array.from({ length: 20 }, (_, i) => reportingReplica(`r${i}`, 1, 0));
    expect(order(many, { seed: 7 })).toEqual(order(many, { seed: 7 }));
    expect(order(many, { seed: 7 })).not.toEqual(order(many, { seed: 8 }));
  });

  test('of nobody is nobody', () => {
    expect(order([])).toEqual([]);
  });

  test('tells the cheapest in order of their cost, as many as are asked for', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ rttMs: fc.nat(300), queued: fc.nat(50_000) }), { minLength: 1, maxLength: 40 }), (specs) => {
        const replicas = specs.map(({ rttMs, queued }, i) => reportingReplica(`r${i}`, rttMs, queued));
        const { candidates } = ranking(replicas);
        const every = rank(REQUEST, replicas, { mirroredTokens: () => 0, holder: null, session: null }, 0, { ...RANK_OPTIONS, candidatesMax: 40 }, seededRng(1));
        const costs = every.candidates.map(({ costMs }) => costMs).sort((a, b) => a - b);
        expect(candidates.length).toBe(Math.min(8, specs.length));
        // The first may be any of the near-ties; the others are the least of the rest, in order.
        expect(candidates[0]?.costMs).toBeLessThanOrEqual((costs[0] ?? 0) + RANK_OPTIONS.tieMs);
        const rest = candidates.slice(1).map(({ costMs }) => costMs);
        expect(rest).toEqual([...rest].sort((a, b) => a - b));
        expect(rest.at(-1) ?? 0).toBeLessThanOrEqual(costs[candidates.length - 1] ?? Infinity);
      }),
    );
  });
});
