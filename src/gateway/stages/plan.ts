import type { ApiKeyRecord } from '../../accounts/index.ts';
import { rank, type Candidate, type ReplicaSnapshot } from '../../balancer/index.ts';
import { MeridianError } from '../../core/index.ts';
import type { Replica } from '../../health/index.ts';
import type { Ask } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';

/** The replicas that may serve the request, best first. Throws `permission_denied` or `overloaded` when there is none. */
export function plan(ask: Ask, key: ApiKeyRecord, deps: Pick<GatewayDeps, 'fleet' | 'rng' | 'clock' | 'options'>): Candidate[] {
  const serving = deps.fleet.serving(ask.model);
  const allowed = key.regions === null ? serving : serving.filter(({ identity }) => key.regions?.includes(identity.region));
  if (allowed.length === 0 && serving.length > 0) {
    const message = `This API key may use the regions ${key.regions?.join(', ')} only, and '${ask.model}' is not served there.`;
    throw new MeridianError('permission_denied', { message });
  }
  const now = deps.clock.now();
  const able = fitting(allowed.filter((replica) => replica.isAvailable(now)), ask.promptTokensEstimate);
  if (able.length === 0) {
    throw new MeridianError('overloaded', { message: `No replica of '${ask.model}' can serve now.`, retryAfterMs: 2000 });
  }
  return rank(ask.promptTokensEstimate, able.map(snapshot), deps.options.rank, deps.rng);
}

/** Replicas with room for the prompt; where none seems to have it, the roomiest, whose engine counts exactly and says so. */
function fitting(replicas: readonly Replica[], promptTokens: number): readonly Replica[] {
  const most = Math.max(...replicas.map(({ identity }) => identity.contextTokens));
  return replicas.filter(({ identity }) => identity.contextTokens >= Math.min(promptTokens, most));
}

function snapshot(replica: Replica): ReplicaSnapshot {
  return {
    id: replica.identity.id,
    region: replica.identity.region,
    rttMs: replica.rttMs,
    queuedUncachedTokens: replica.load?.queuedUncachedTokens ?? null,
    sentSinceTokens: replica.log.sentSinceTokens,
    prefillTokensPerS: replica.load?.prefillTokensPerS ?? null,
  };
}
