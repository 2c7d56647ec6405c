import { expect, test } from 'vitest';
import { PrefixIndex } from '../../src/balancer/index.ts';
import { ReplicaPrefixes } from '../../src/gateway/upstreams/replica-prefixes.ts';

const NONE = new Uint32Array(0);
const blocks = (...numbers: number[]): Uint32Array => Uint32Array.from(numbers.flatMap((n) => [n, n]));

test('events count from a snapshot on; after a gap everything is forgotten and asked for anew', () => {
  const index = new PrefixIndex(100);
  const asked: string[] = [];
  const prefixes = new ReplicaPrefixes(['a', 'b'], index, (replica) => asked.push(replica));
  const depth = (replica: string): number | undefined => index.match(blocks(1, 2, 3))[index.replica(replica).slot];
  prefixes.take({ replica: 0, isSnapshot: false, seq: 0, stored: blocks(1), evicted: NONE });
  expect(depth('a')).toBe(0);
  prefixes.take({ replica: 0, isSnapshot: true, seq: 1, stored: blocks(1, 2), evicted: NONE });
  prefixes.take({ replica: 0, isSnapshot: false, seq: 2, stored: blocks(3), evicted: blocks(2) });
  expect(depth('a')).toBe(1);
  prefixes.take({ replica: 0, isSnapshot: false, seq: 3, stored: blocks(2), evicted: NONE });
  expect(depth('a')).toBe(3);
  prefixes.take({ replica: 0, isSnapshot: false, seq: 5, stored: blocks(4), evicted: NONE });
  expect([depth('a'), asked]).toEqual([0, ['a']]);
  prefixes.take({ replica: 0, isSnapshot: false, seq: 6, stored: blocks(1), evicted: NONE });
  expect(depth('a')).toBe(0);
  prefixes.take({ replica: 0, isSnapshot: true, seq: 7, stored: blocks(1), evicted: NONE });
  expect([depth('a'), depth('b'), asked.length]).toEqual([1, 0, 1]);
  prefixes.take({ replica: 9, isSnapshot: true, seq: 0, stored: blocks(1), evicted: NONE });
});
