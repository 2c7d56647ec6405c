import type { ApiKeyRecord } from '../../accounts/index.ts';
import type { Placement, Route } from '../../balancer/index.ts';
import { BLOCK_BYTES } from '../../prefix/index.ts';
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

/** Ranks the replicas that may serve the request. Throws `permission_denied` or `overloaded` when there is none. */
export function plan(
  ask: Ask,
  key: ApiKeyRecord,
  deps: Pick<GatewayDeps, 'fleet' | 'clock' | 'router' | 'expectedOutput' | 'tokenRatio'>,
): Plan {
  const placement: Placement = {
    model: ask.model,
    promptTokens: ask.promptTokensEstimate,
    outputTokens: deps.expectedOutput.estimate(key.id, ask.model, ask.outputTokensMax),
    chain: ask.prompt.chain,
    tokensPerBlock: BLOCK_BYTES / deps.tokenRatio.bytesPerToken(ask.model, ask.prompt.kind),
    session: null,
  };
  return { placement, route: routeRequest(ask, placement, key, deps), heldMs: 0 };
}
