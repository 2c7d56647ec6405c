import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CacheMirror } from '../../src/prefix/index.ts';

/** A chain of blocks told apart by numbers. */
function chain(...blocks: number[]): Uint32Array {
  return Uint32Array.from(blocks.flatMap((block) => [block + 1, block % 7]));
}

function blocksOf(words: Uint32Array): number[] {
  return [...words].filter((_, i) => i % 2 === 0).map((word) => word - 1);
}

describe('the mirror of a cache', () => {
  test('holds what was inserted, and forgets what was used longest ago, a chain from its end', () => {
    const mirror = new CacheMirror(6);
    mirror.insert(chain(1, 2, 3));
    mirror.insert(chain(10, 11));
    mirror.insert(chain(1, 20));
    // Six places: 1 2 3 10 11 20. One more makes the oldest end go.
    mirror.insert(chain(30));
    expect(mirror.match(chain(1, 2, 3))).toBe(2);
    mirror.insert(chain(31));
    expect([mirror.match(chain(1, 2, 3)), mirror.match(chain(10, 11)), mirror.match(chain(1, 20))]).toEqual([1, 2, 2]);
  });

  test('tells changes once, a block that came and went not at all, and more than it may with the next telling', () => {
    const mirror = new CacheMirror(3);
    mirror.insert(chain(1, 2, 3));
    mirror.insert(chain(4));
    expect(mirror.changes).toBe(3);
    expect(blocksOf(mirror.takeChanges(2).stored).length).toBe(2);
    const rest = mirror.takeChanges(10);
    expect([rest.stored.length / 2, rest.evicted.length]).toEqual([1, 0]);
    expect(mirror.changes).toBe(0);
    mirror.resize(1);
    expect(blocksOf(mirror.takeChanges(10).evicted).toSorted((a, b) => a - b)).toEqual([1, 2]);
  });

  test('never tells of what a listener does not know, so that a listener always knows what it holds', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('insert'), blocks: fc.uniqueArray(fc.nat(40), { maxLength: 12 }) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('tell'), most: fc.integer({ min: 1, max: 8 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('resize'), most: fc.nat(25) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const mirror = new CacheMirror(15);
        let most = 15;
        const known = new Set<number>();
        const tell = (count: number): void => {
          const { stored, evicted } = mirror.takeChanges(count);
          for (const block of blocksOf(evicted)) expect(known.delete(block)).toBe(true);
          for (const block of blocksOf(stored)) known.add(block);
        };
        for (const one of steps) {
          if ('blocks' in one) mirror.insert(chain(...one.blocks));
          else if (one.kind === 'tell') tell(one.most);
          else mirror.resize((most = one.most));
          expect(mirror.blocks).toBeLessThanOrEqual(most);
        }
        tell(Infinity);
        expect([...known].sort((a, b) => a - b)).toEqual(blocksOf(mirror.words()).sort((a, b) => a - b));
      }),
    );
  });

  test('forgets everything with its engine', () => {
    const mirror = new CacheMirror(9);
    mirror.insert(chain(1, 2));
    mirror.clear();
    expect([mirror.blocks, mirror.changes, mirror.match(chain(1))]).toEqual([0, 0, 0]);
  });
});
