import type { ApiKeyRecord } from '../accounts/index.ts';
import type { Placement, Route } from '../balancer/index.ts';
import { MeridianError } from '../core/index.ts';
import { eligible, type Replica, type ReplicaIdentity } from '../health/index.ts';
import type { Ask } from './context.ts';
import type { GatewayDeps } from './deps.ts';

type RoutingDeps = Pick<GatewayDeps, 'fleet' | 'access' | 'clock' | 'router' | 'options'>;

const NOT_READY_RETRY_MS = 2_000;

/**
 * Ranks the replicas that may serve the request now, as far as `may` allows them. Throws `permission_denied` when its key may use
 * none of those that serve the model, and `overloaded` when none of them can take it now.
 */
export function routeRequest(
  ask: Pick<Ask, 'model' | 'promptTokensEstimate'>,
  placement: Placement,
  key: ApiKeyRecord,
  deps: RoutingDeps,
  may: (identity: ReplicaIdentity) => boolean = () => true,
): Route {
  const now = deps.clock.now();
  const able = eligible(permitted(ask.model, key, deps), now, deps.options.health).filter(({ identity }) => may(identity));
  if (able.length === 0) {
    throw new MeridianError('overloaded', { message: `No replica of '${ask.model}' can serve now.`, retryAfterMs: NOT_READY_RETRY_MS });
  }
  return deps.router.route(placement, fitting(able, ask.promptTokensEstimate), now);
}

function permitted(model: string, key: ApiKeyRecord, { fleet, access }: Pick<GatewayDeps, 'fleet' | 'access'>): readonly Replica[] {
  const serving = fleet.serving(model);
  const allowed = serving.filter(({ identity }) => access.mayUse(identity, key));
  if (allowed.length > 0 || serving.length === 0) return allowed;
  const where = key.regions === null ? 'the replicas set aside for its organization' : `the regions ${key.regions.join(', ')}`;
  throw new MeridianError('permission_denied', { message: `This API key may use ${where} only, and '${model}' is not served there.` });
}

/** Replicas with room for the prompt; where none seems to have it, the roomiest, whose engine counts exactly and says so. */
function fitting(replicas: readonly Replica[], promptTokens: number): readonly Replica[] {
  let most = 0;
  for (const { identity } of replicas) most = Math.max(most, identity.contextTokens);
  const needed = Math.min(promptTokens, most);
  return replicas.filter(({ identity }) => identity.contextTokens >= needed);
}
