import { describe, expect, test } from 'vitest';
import { Fleet, Replica, type ReplicaLoad } from '../../src/health/index.ts';

const UPSTREAM = { lastDispatch: 0, dispatch: () => true };
const LOAD: ReplicaLoad = {
  seq: 1,
  ageMs: 0,
  running: 0,
  queued: 0,
  queuedUncachedTokens: 0,
  kvTokensUsed: null,
  kvTokens: null,
  prefillTokensPerS: null,
  decodeTokensPerS: null,
};

function replica(id = 'r', models = ['m']): Replica {
  const identity = { id, node: id, region: 'here', engine: 'sglang', models, contextTokens: 1_000, runningMax: null, kvTokens: null };
  return new Replica(identity, UPSTREAM, { failuresMax: 2, openMs: 100, openMsMax: 100 }, { next: () => 0.5 });
}

function readyReplica(): Replica {
  const one = replica();
  one.setState('ready', '');
  return one;
}

describe('a replica', () => {
  test.each(['starting', 'warming', 'draining', 'unhealthy'] as const)('that is %s takes no attempt', (state) => {
    const one = replica();
    one.setState(state, 'for a reason');
    expect(one.isAvailable(0)).toBe(false);
    expect(one.enter(0)).toBeNull();
    expect(one.inFlight).toBe(0);
  });

  test('counts the attempts under way, each of which ends exactly once', () => {
    const one = readyReplica();
    const permits = [one.enter(0), one.enter(0)];
    expect(one.inFlight).toBe(2);
    permits[0]?.end('success', 1);
    expect(one.inFlight).toBe(1);
    expect(() => permits[0]?.end('success', 2)).toThrow('ended twice');
    expect(one.inFlight).toBe(1);
  });

  test('is left alone after failures in a row, but not after clients that left', () => {
    const one = readyReplica();
    for (let i = 0; i < 10; i += 1) one.enter(0)?.end('ignored', 0);
    expect(one.isAvailable(0)).toBe(true);
    one.enter(0)?.end('failure', 0);
    one.enter(0)?.end('failure', 0);
    expect(one.isAvailable(0)).toBe(false);
    expect(one.enter(0)).toBeNull();
    one.enter(100)?.end('success', 100);
    expect(one.isAvailable(100)).toBe(true);
  });

  test('keeps what we know we sent when a report does not know what waits', () => {
    const one = readyReplica();
    one.backlog.sent(1, 500, 0);
    one.report({ ...LOAD, queuedUncachedTokens: null }, 1, 10);
    expect(one.backlog.sentSinceTokens).toBe(500);
    one.report(LOAD, 1, 20);
    expect(one.backlog.sentSinceTokens).toBe(0);
    expect(one.loadAtMs).toBe(20);
  });

  test('believes a shorter round trip sooner than a longer one', () => {
    const one = replica();
    expect(one.rttMs).toBeNull();
    one.measured(10);
    expect(one.rttMs).toBe(10);
    one.measured(110);
    expect(one.rttMs).toBe(20);
    one.measured(10);
    expect(one.rttMs).toBe(15);
  });
});

describe('a fleet', () => {
  test('finds replicas by model, and forgets models that nobody serves any more', () => {
    const fleet = new Fleet();
    fleet.add(replica('a', ['m', 'n']));
    fleet.add(replica('b', ['m']));
    expect(fleet.serving('m').map(({ identity }) => identity.id)).toEqual(['a', 'b']);
    fleet.remove('a');
    expect(fleet.models()).toEqual(['m']);
    expect(fleet.serving('n')).toEqual([]);
    fleet.remove('nobody');
    expect(fleet.all().length).toBe(1);
  });

  test('puts a replica in the place of an earlier one with the same id', () => {
    const fleet = new Fleet();
    const newer = replica('a', ['n']);
    fleet.add(replica('a', ['m']));
    fleet.add(newer);
    expect(fleet.get('a')).toBe(newer);
    expect(fleet.models()).toEqual(['n']);
    expect(fleet.all()).toEqual([newer]);
  });
});
