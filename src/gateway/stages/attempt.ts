import { MeridianError, wait } from '../../core/index.ts';
import type { Placement, Route } from '../../balancer/index.ts';
import type { ReplicaIdentity } from '../../health/index.ts';
import type { RequestContext } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';
import { hedgedTry, type Attempted } from '../hedged-try.ts';
import type { AnswerOutcome } from '../outcome.ts';
import { routeRequest } from '../route-request.ts';
import type { Entered } from '../start-attempt.ts';
import type { Plan } from './plan.ts';

/**
 * Tries the best candidate; after a failure before the first byte, the best one on another node by what is known then, and
 * after that in another region, within the bounds and the fleet's budget of retries. The client's own fault, and a client
 * that left, are not tried again. `lost`: where the answer broke off that the attempts are to go on with.
 */
export async function attempt(context: RequestContext, plan: Plan, deps: GatewayDeps, lost: readonly ReplicaIdentity[] = []): Promise<Attempted> {
  const tried: ReplicaIdentity[] = [...lost];
  const enter = (route: Route | null, ttftMsMax?: number): Entered | null => (route === null ? null : enterFirst(route, tried, deps, ttftMsMax));
  const next = (ttftMsMax?: number): Entered | null => enter(rankAgain(context, plan, tried, deps), ttftMsMax);
  deps.hedges.earn();
  deps.retries.began(deps.clock.now());
  let entered = enter(plan.route);
  let last: Attempted | null = null;
  while (entered !== null) {
    last = await hedgedTry(context, plan.placement, entered, next, deps);
    if (last.kind === 'answering' || last.outcome.kind !== 'failed' || !last.outcome.isRetryable) return last;
    if (tried.length - lost.length >= deps.options.retries.attemptsMax) return last;
    // Going on with an answer has its own bound: once for a request.
    const isAllowed = context.continued !== null || deps.retries.trySpend(deps.clock.now());
    deps.metrics.retried(isAllowed);
    if (!isAllowed) return last;
    entered = await afterPause(context, next, deps);
    if (context.reply.isGone) return { kind: 'ended', outcome: { kind: 'aborted', settlement: null } };
  }
  return last ?? { kind: 'ended', outcome: notTaken() };
}

/** Full jitter: requests that failed together do not come back together. */
async function afterPause({ reply }: RequestContext, next: () => Entered | null, { clock, rng, options }: GatewayDeps): Promise<Entered | null> {
  const { jitterMinMs, jitterMaxMs } = options.retries;
  await wait(clock, jitterMinMs + rng.next() * (jitterMaxMs - jitterMinMs));
  return reply.isGone ? null : next();
}

/** Takes the first candidate that lets an attempt in; it must still be in the fleet, for its link may have broken meanwhile. */
function enterFirst(route: Route, tried: ReplicaIdentity[], deps: GatewayDeps, ttftMsMax = Infinity): Entered | null {
  for (const candidate of route.candidates) {
    const { identity } = candidate.replica;
    if (candidate.ttftMs > ttftMsMax || deps.fleet.get(identity.id) !== candidate.replica || tried.some(({ node }) => node === identity.node)) continue;
    const permit = candidate.replica.enter(deps.clock.now(), candidate.ttftMs);
    if (permit === null) continue;
    tried.push(identity);
    return { route, candidate, permit };
  }
  return null;
}

/** Null when no other replica may serve the request now: then it ends as its last attempt did. */
function rankAgain(context: RequestContext, plan: Plan, tried: readonly ReplicaIdentity[], deps: GatewayDeps): Route | null {
  const isOtherNode = ({ node }: ReplicaIdentity): boolean => tried.every((one) => one.node !== node);
  const isElsewhere = ({ region }: ReplicaIdentity): boolean => tried.every((one) => one.region !== region);
  const elsewhere = tried.length < 2 ? null : routeIfAny(context, plan.placement, isElsewhere, deps);
  return elsewhere ?? routeIfAny(context, plan.placement, isOtherNode, deps);
}

/** The best replicas among those that may serve, by what is known now; null when there is none. */
export function routeIfAny(context: RequestContext, placement: Placement, may: (identity: ReplicaIdentity) => boolean, deps: GatewayDeps): Route | null {
  try {
    return routeRequest(context.ask, placement, context.key, deps, (identity) => may(identity) && mayServe(context, identity));
  } catch (thrown) {
    if (thrown instanceof MeridianError) return null;
    throw thrown;
  }
}

/** Not every engine can go on with an answer that another one began. */
function mayServe({ ask, continued }: Pick<RequestContext, 'ask' | 'continued'>, { continuation }: ReplicaIdentity): boolean {
  if (continued === null) return true;
  return ask.continuableBy === 'tokens' ? continuation === 'tokens' : continuation !== 'none';
}

/** Every replica closed between plan and attempt. The request is under way by now, so it ends in a record. */
function notTaken(): AnswerOutcome {
  const error = new MeridianError('overloaded', { message: 'No replica can take this request now.' });
  return { kind: 'failed', error, settlement: null, isRetryable: true, isReplicaFault: false, isAfterWork: false };
}
