import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PrefixIndex } from '../../src/balancer/index.ts';

/** Blocks by small numbers, so that replicas share them; both words matter. */
function words(blocks: readonly number[]): Uint32Array {
  return Uint32Array.from(blocks.flatMap((block) => [Math.imul(block, 0x9e3779b1) >>> 0, block]));
}

/** What the index should know: the blocks of each replica. */
class NaiveIndex {
  readonly held = new Map<string, Set<number>>();

  depth(id: string, chain: readonly number[]): number {
    const end = chain.findIndex((block) => !this.held.get(id)?.has(block));
    return end < 0 ? chain.length : end;
  }
}

type Step =
  | { readonly kind: 'stored' | 'evicted'; readonly id: string; readonly blocks: readonly number[] }
  | { readonly kind: 'clear' | 'remove'; readonly id: string }
  | { readonly kind: 'match'; readonly chain: readonly number[] };

const replicaId = fc.nat(69).map((n) => `r${n}`);
const block = fc.nat(200);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('stored', 'evicted'), id: replicaId, blocks: fc.array(block, { maxLength: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('clear', 'remove'), id: replicaId }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('match'), chain: fc.uniqueArray(block, { maxLength: 20 }) }) },
);

function apply(index: PrefixIndex, naive: NaiveIndex, one: Step): void {
  switch (one.kind) {
    case 'stored':
    case 'evicted': {
      index[one.kind](one.id, words(one.blocks));
      const held = naive.held.get(one.id) ?? new Set();
      for (const block of one.blocks) {
        if (one.kind === 'stored') held.add(block);
        else held.delete(block);
      }
      naive.held.set(one.id, held);
      return;
    }
    case 'clear':
    case 'remove':
      index[one.kind](one.id);
      naive.held.delete(one.id);
      return;
    case 'match':
      return expectSame(index, naive, one.chain);
  }
}

function expectSame(index: PrefixIndex, naive: NaiveIndex, chain: readonly number[]): void {
  const slots = [...naive.held.keys()].map((id) => ({ id, slot: index.replica(id).slot }));
  const depths = index.match(words(chain));
  for (const { id, slot } of slots) expect([id, depths[slot]]).toEqual([id, naive.depth(id, chain)]);
}

describe('the prefix index', () => {
  test('knows of every replica the longest prefix that it holds, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const index = new PrefixIndex(10_000);
        const naive = new NaiveIndex();
        for (const one of steps) apply(index, naive, one);
        for (let first = 0; first < 200; first += 20) expectSame(index, naive, Array.from({ length: 20 }, (_, i) => first + i));
        const different = new Set([...naive.held.values()].flatMap((held) => [...held]));
        expect(index.blocks).toBeGreaterThanOrEqual(different.size);
      }),
      { numRuns: 200 },
    );
  });

  test('forgets replicas that come and go, and what they alone held', () => {
    const index = new PrefixIndex(100_000);
    for (let round = 0; round < 50; round += 1) {
      for (let n = 0; n < 40; n += 1) index.stored(`r${n}`, words(Array.from({ length: 100 }, (_, i) => round * 10_000 + n * 100 + i)));
      for (let n = 0; n < 40; n += 1) index.clear(`r${n}`);
    }
    index.stored('r0', words([1, 2, 3]));
    expect(index.match(words([1, 2, 3, 4]))[index.replica('r0').slot]).toBe(3);
    // A cleared slot is swept when slots are wanted, and the table does not grow for what nobody holds.
    expect(index.blocks).toBeLessThan(40 * 100 * 4);
  });

  test('takes no more different blocks than its bound, and counts what it left out', () => {
    const index = new PrefixIndex(10);
    index.stored('a', words(Array.from({ length: 15 }, (_, i) => i)));
    expect([index.blocks, index.refused]).toEqual([10, 5]);
    index.stored('b', words([3, 4]));
    expect(index.refused).toBe(5);
    expect(index.match(words([3, 4]))[index.replica('b').slot]).toBe(2);
  });
});
