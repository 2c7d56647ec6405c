import { describe, expect, test } from 'vitest';
import { eligible } from '../../src/health/index.ts';
import { readyReplica } from '../support/replicas.ts';
import type { Replica } from '../../src/health/index.ts';

const OPTIONS = { ejectedShareMax: 0.3, panicShare: 0.5 };

function pool(region: string, count: number): Replica[] {
  return Array.from({ length: count }, (_, i) => readyReplica(`${region}-${i}`, { region }));
}

/** Opens the breaker of a replica by failures at `now`. */
function fail(replica: Replica | undefined, now = 0): void {
  for (let i = 0; i < 3; i += 1) replica?.enter(now)?.end('failure', now);
}

function idsOf(replicas: readonly Replica[], now = 10): string[] {
  return eligible(replicas, now, OPTIONS).map(({ identity }) => identity.id);
}

describe('of the replicas of a model', () => {
  test('all that are ready may be tried while none has done anything wrong', () => {
    const replicas = pool('a', 3);
    replicas[1]?.setState('draining', '', 0);
    expect(idsOf(replicas)).toEqual(['a-0', 'a-2']);
  });

  test('one that fails is left out, even as the only one of its region', () => {
    const replicas = [...pool('a', 1), ...pool('b', 3)];
    fail(replicas[0]);
    expect(idsOf(replicas)).toEqual(['b-0', 'b-1', 'b-2']);
  });

  test('no more than three in ten of a region are left out; those whose time ends first come back', () => {
    const replicas = [...pool('a', 10), ...pool('b', 2)];
    for (const i of [0, 1, 2, 3, 4]) fail(replicas[i], i);
    const ids = idsOf(replicas);
    expect(ids.length).toBe(9);
    const untilMs = ({ breaker: { state } }: Replica): number => (state.kind === 'open' ? state.untilMs : 0);
    const [first, second] = replicas.slice(0, 5).sort((a, b) => untilMs(a) - untilMs(b));
    expect(ids.slice(7)).toEqual([first?.identity.id, second?.identity.id]);
  });

  test('with fewer than half of all healthy, every ready one is tried', () => {
    const replicas = [...pool('a', 3), ...pool('b', 2)];
    for (const i of [0, 1, 3]) fail(replicas[i]);
    replicas[4]?.setState('unhealthy', '', 0);
    expect(idsOf(replicas)).toEqual(['a-0', 'a-1', 'a-2', 'b-0']);
  });
});
