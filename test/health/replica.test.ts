import { describe, expect, test } from 'vitest';
import { Fleet, Replica, type ReplicaHealthOptions, type ReplicaLoad } from '../../src/health/index.ts';
import { TEST_HEALTH } from '../support/replicas.ts';

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

function replica(id = 'r', models = ['m'], more: Partial<ReplicaHealthOptions> = {}): Replica {
  const identity = { id, node: id, region: 'here', engine: 'sglang', models, contextTokens: 1_000, runningMax: null, kvTokens: null, continuation: 'none' as const };
  return new Replica(identity, UPSTREAM, { ...TEST_HEALTH, breaker: { ...TEST_HEALTH.breaker, failuresMax: 2 }, ...more }, { next: () => 0.5 });
}

function readyReplica(more: Partial<ReplicaHealthOptions> = {}): Replica {
  const one = replica('r', ['m'], more);
  one.setState('ready', '', 0);
  return one;
}

describe('a replica', () => {
  test.each(['starting', 'warming', 'draining', 'unhealthy'] as const)('that is %s takes no attempt', (state) => {
    const one = replica();
    one.setState(state, 'for a reason', 0);
    expect(one.isHealthy(0)).toBe(false);
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
    expect(one.isHealthy(0)).toBe(true);
    one.enter(0)?.end('failure', 0);
    one.enter(0)?.end('failure', 0);
    expect(one.isHealthy(0)).toBe(false);
    one.enter(100)?.end('success', 100);
    expect(one.isHealthy(100)).toBe(true);
  });

  test('that is answering and brings no token for long is left alone until one comes', () => {
    const one = readyReplica({ silentMs: 1_000 });
    const waiting = one.enter(0, 3_000);
    expect(one.isHealthy(5_000), 'a long prefill is no silence').toBe(true);
    expect(one.isHealthy(6_001), 'but twice what was expected is').toBe(false);
    waiting?.progressed(5_000);
    expect(one.isHealthy(6_000)).toBe(true);
    expect(one.isHealthy(6_001)).toBe(false);
    one.heard(6_500);
    expect(one.isHealthy(7_000)).toBe(true);
    expect(one.isHealthy(7_600)).toBe(false);
    waiting?.end('failure', 7_600);
    expect(one.isHealthy(7_600), 'nothing is under way any more').toBe(true);
  });

  test('is not called silent while the prompts that wait there are prefilled', () => {
    const one = readyReplica({ silentMs: 1_000 });
    const streaming = one.enter(0);
    streaming?.progressed(0);
    one.backlog.sent(1, 27_000, 0);
    expect(one.isHealthy(3_900)).toBe(true);
    expect(one.isHealthy(4_100)).toBe(false);
  });

  test('that comes back is counted on for a tenth of its speed at first, and for all of it after about a minute', () => {
    const one = readyReplica({ slowStartMs: 60_000, slowStartFrom: 0.1 });
    expect(one.rampAt(0)).toBeCloseTo(0.1);
    const half = one.rampAt(30_000);
    expect(half).toBeGreaterThan(0.45);
    expect(half).toBeLessThan(0.7);
    expect(one.rampAt(72_000)).toBe(1);
    one.setState('ready', '', 80_000);
    expect(one.rampAt(80_000), 'it was ready all the time').toBe(1);
    one.setState('unhealthy', 'for a reason', 90_000);
    one.setState('ready', '', 95_000);
    expect(one.rampAt(95_000)).toBeCloseTo(0.1);
  });

  test('starts slowly after its breaker closed', () => {
    const one = readyReplica({ slowStartMs: 60_000 });
    expect(one.rampAt(100_000)).toBe(1);
    for (let i = 0; i < 2; i += 1) one.enter(100_000)?.end('failure', 100_000);
    const probe = one.enter(100_100);
    expect(one.rampAt(100_100)).toBe(1);
    probe?.progressed(100_200);
    expect(one.rampAt(100_200)).toBeLessThan(0.2);
    probe?.end('success', 100_300);
    expect(one.rampAt(100_300)).toBeLessThan(0.2);
  });

  test('keeps what we know we sent when a report does not know what waits', () => {
    const one = readyReplica();
    one.backlog.sent(1, 500, 0);
    one.report({ ...LOAD, queuedUncachedTokens: null }, 1, 10);
    expect(one.backlog.sentSinceTokens).toBe(500);
    // It does know that nothing else does.
    expect([one.backlog.isKnown, one.backlog.tokensAt(10, 0)]).toEqual([true, 500]);
    one.report(LOAD, 1, 20);
    expect(one.backlog.sentSinceTokens).toBe(0);
    expect(one.loadAtMs).toBe(20);
  });

  test('knows nothing of the queue of an engine that has one and does not count its tokens', () => {
    const one = readyReplica();
    one.report({ ...LOAD, queued: 3, queuedUncachedTokens: null }, 1, 10);
    expect(one.backlog.isKnown).toBe(false);
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
