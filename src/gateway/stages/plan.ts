import type { ApiKeyRecord } from '../../accounts/index.ts';
import type { Placement, Route } from '../../balancer/index.ts';
import { MeridianError } from '../../core/index.ts';
import { BLOCK_BYTES } from '../../prefix/index.ts';
import type { ClientReply } from '../client-reply.ts';
import type { Ask } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';
import { routeRequest } from '../route-request.ts';

/** Where a request is to go, and by what it was placed. */
export interface Plan {
  readonly placement: Placement;
  readonly route: Route;
  /** Time it waited for a replica with room. */
  readonly heldMs: number;
}

/**
 * Ranks the replicas that may serve the request; while each of them would keep it waiting too long, it waits here, in fair
 * order. Throws `permission_denied` or `overloaded` when there is no such replica, and `rate_limit_exceeded` when it has waited
 * as long as it may.
 */
export async function plan(ask: Ask, key: ApiKeyRecord, reply: Pick<ClientReply, 'onGone'>, deps: GatewayDeps): Promise<Plan> {
  const placement = placementOf(ask, key, deps);
  await learnSession(placement, deps);
  let isFirstLook = true;
  const { found, heldMs } = await deps.waitingRoom.enter({
    model: ask.model,
    organization: key.organization,
    priority: ask.hints.priority,
    deadlineMs: ask.hints.deadlineMs,
    inputTokens: placement.promptTokens,
    outputTokens: placement.outputTokens,
    find(waitMsMax) {
      const route = isFirstLook ? routeRequest(ask, placement, key, deps) : routeIfAny(ask, placement, key, deps);
      isFirstLook = false;
      return route !== null && route.waitMs <= waitMsMax ? route : null;
    },
    onGone: (listener) => reply.onGone(listener),
  });
  return { placement, route: found, heldMs };
}

/** A session that comes to this gateway for the first time may have a replica that another one sent it to. */
async function learnSession({ session }: Placement, { sessions, router }: Pick<GatewayDeps, 'sessions' | 'router'>): Promise<void> {
  if (sessions === null || session === null || router.knowsSession(session)) return;
  const replica = await sessions.placeOf(session);
  if (replica !== null) router.learnSession(session, replica);
}

function placementOf(ask: Ask, key: ApiKeyRecord, { expectedOutput, tokenRatio }: GatewayDeps): Placement {
  return {
    model: ask.model,
    promptTokens: ask.promptTokensEstimate,
    outputTokens: expectedOutput.estimate(key.id, ask.model, ask.outputTokensMax),
    chain: ask.prompt.chain,
    tokensPerBlock: BLOCK_BYTES / tokenRatio.bytesPerToken(ask.model, ask.prompt.kind),
    // Names are the clients' own: two organizations may have the same one.
    session: ask.hints.session === null ? null : `${key.organization}\0${ask.hints.session}`,
  };
}

/** Who waits already goes on waiting while no replica can serve: one may come back. */
function routeIfAny(ask: Ask, placement: Placement, key: ApiKeyRecord, deps: GatewayDeps): Route | null {
  try {
    return routeRequest(ask, placement, key, deps);
  } catch (thrown) {
    if (thrown instanceof MeridianError) return null;
    throw thrown;
  }
}
