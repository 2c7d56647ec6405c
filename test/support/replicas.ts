import { seededRng } from '../../src/core/index.ts';
import { Replica, type ReplicaHealthOptions, type ReplicaIdentity, type ReplicaLoad } from '../../src/health/index.ts';
import type { Upstream } from '../../src/openai/index.ts';

/** Without slow start, and soon over. */
export const TEST_HEALTH: ReplicaHealthOptions = {
  breaker: { failuresMax: 3, successRateMin: 0.8, windowMs: 30_000, attemptsMin: 20, openMs: 100, openMsMax: 100, probes: 1, probeMs: 10_000 },
  slowStartFrom: 0.1,
  slowStartMs: 0,
  silentMs: 5_000,
};

const NOWHERE: Upstream = { lastDispatch: 0, dispatch: () => true };

/** A load report of an idle replica, but for `more`. */
export function loadOf(more: Partial<ReplicaLoad> = {}): ReplicaLoad {
  return {
    seq: 1,
    ageMs: 0,
    running: 0,
    queued: 0,
    queuedUncachedTokens: 0,
    kvTokensUsed: 0,
    kvTokens: 500_000,
    prefillTokensPerS: null,
    decodeTokensPerS: null,
    ...more,
  };
}

/** A replica that is ready and has told nothing yet. */
export function readyReplica(id: string, more: Partial<ReplicaIdentity> = {}, upstream: Upstream = NOWHERE): Replica {
  const identity: ReplicaIdentity = {
    id,
    node: id,
    region: 'here',
    engine: 'sglang',
    models: ['m'],
    contextTokens: 100_000,
    runningMax: null,
    kvTokens: 500_000,
    continuation: 'none',
    ...more,
  };
  const pace = { prefillTokensPerS: 10_000, stepMs: 0, tpotMs: 20, tpotPerRequestMs: 0.5 };
  const replica = new Replica(identity, upstream, TEST_HEALTH, seededRng(1), pace);
  replica.setState('ready', '', 0);
  return replica;
}

/** A ready replica at `rttMs` that reported `queuedTokens` at `now`. */
export function reportingReplica(id: string, rttMs: number, queuedTokens: number, now = 0): Replica {
  const replica = readyReplica(id);
  replica.measured(rttMs);
  replica.report(loadOf({ queuedUncachedTokens: queuedTokens }), 0, now + rttMs / 2);
  return replica;
}
