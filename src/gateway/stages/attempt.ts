import { attemptId, MeridianError, wait } from '../../core/index.ts';
import type { Candidate, Placement, Route } from '../../balancer/index.ts';
import type { AttemptPermit, Replica } from '../../health/index.ts';
import { AttemptError } from '../../openai/index.ts';
import { AttemptStream } from '../attempt-stream.ts';
import { closeAttempt } from '../close-attempt.ts';
import type { RequestContext } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';
import { PATHS } from '../engine-paths.ts';
import { OpenAttempt } from '../open-attempt.ts';
import { failedOutcome, type AnswerOutcome } from '../outcome.ts';
import { loggedAttempt } from '../route-log.ts';
import { routeRequest } from '../route-request.ts';
import type { Plan } from './plan.ts';

export type Attempted =
  | { readonly kind: 'answering'; readonly attempt: OpenAttempt; readonly status: number }
  /** No attempt began to answer; this is how the last one ended. */
  | { readonly kind: 'ended'; readonly outcome: AnswerOutcome };

/**
 * Tries the best candidate; after a failure before the first byte, the best one on another node by what is known then,
 * within the bounds. The client's own fault, and a client that left, are not tried again.
 */
export async function attempt(context: RequestContext, plan: Plan, deps: GatewayDeps): Promise<Attempted> {
  const { attemptsMax, jitterMinMs, jitterMaxMs } = deps.options.retries;
  const triedNodes = new Set<string>();
  let last: Attempted | null = null;
  let { route } = plan;
  for (;;) {
    const entered = enterFirst(route, triedNodes, deps);
    if (entered === null) return last ?? { kind: 'ended', outcome: notTaken() };
    last = await tryOne(context, plan.placement, entered, deps);
    if (last.kind === 'answering' || last.outcome.kind !== 'failed' || !last.outcome.isRetryable) return last;
    if (context.attempts.length >= attemptsMax) return last;
    await wait(deps.clock, jitterMinMs + deps.rng.next() * (jitterMaxMs - jitterMinMs));
    if (context.reply.isGone) return { kind: 'ended', outcome: { kind: 'aborted', settlement: null } };
    const again = rankAgain(context, plan.placement, triedNodes, deps);
    if (again === null) return last;
    route = again;
  }
}

interface Entered {
  readonly route: Route;
  readonly candidate: Candidate<Replica>;
  readonly permit: AttemptPermit;
}

/** Takes the first candidate that lets an attempt in; it must still be in the fleet, for its link may have broken meanwhile. */
function enterFirst(route: Route, triedNodes: Set<string>, deps: GatewayDeps): Entered | null {
  for (const candidate of route.candidates) {
    const { replica } = candidate;
    const { id, node } = replica.identity;
    if (triedNodes.has(node) || deps.fleet.get(id) !== replica) continue;
    const permit = replica.enter(deps.clock.now());
    if (permit === null) continue;
    triedNodes.add(node);
    return { route, candidate, permit };
  }
  return null;
}

/** Null when no other replica may serve the request now: then it ends as its last attempt did. */
function rankAgain({ ask, key }: RequestContext, placement: Placement, triedNodes: Set<string>, deps: GatewayDeps): Route | null {
  try {
    return routeRequest(ask, placement, key, deps, triedNodes);
  } catch (thrown) {
    if (thrown instanceof MeridianError) return null;
    throw thrown;
  }
}

/** Higher runs first in engines that are told to mind it. */
const ENGINE_PRIORITY = { critical: 1, standard: 0, batch: -1 } as const;

/** Every replica closed between plan and attempt. The request is under way by now, so it ends in a record. */
function notTaken(): AnswerOutcome {
  const error = new MeridianError('overloaded', { message: 'No replica can take this request now.' });
  return { kind: 'failed', error, settlement: null, isRetryable: true, isReplicaFault: false, isAfterWork: false };
}

async function tryOne(context: RequestContext, placement: Placement, entered: Entered, deps: GatewayDeps): Promise<Attempted> {
  const open = dispatch(context, placement, entered, deps);
  context.current = open;
  // An answer in one piece comes when its last token is made, so the wait for the first cannot be bounded apart.
  const firstTokenMs = context.ask.streamed ? deps.options.timeouts.firstTokenMs : deps.options.timeouts.totalMs;
  const unwatch = deps.sweep.add((now) => {
    if (now - open.startedMs > firstTokenMs) open.stream.abort(new AttemptError('timeout', 'no token came in time', null));
  });
  context.reply.onGone(() => open.stream.abort(new AttemptError('cancelled', 'the client went away', null)));
  const sign = await open.stream.firstSign;
  unwatch();
  if (sign.kind === 'answering') {
    open.firstToken(deps.clock.now(), context.ask.streamed);
    deps.waitingRoom.roomMayHaveCome();
    context.shown.replica = open.replica.identity;
    return { kind: 'answering', attempt: open, status: sign.status };
  }
  const outcome = failedOutcome(sign.error);
  await closeAttempt(context, open, outcome, deps);
  return { kind: 'ended', outcome };
}

function dispatch(context: RequestContext, placement: Placement, { route, candidate, permit }: Entered, deps: GatewayDeps): OpenAttempt {
  const { request, ask, key, attempts } = context;
  const { replica } = candidate;
  const id = attemptId(request.id, attempts.length);
  const stream = new AttemptStream();
  const now = deps.clock.now();
  replica.upstream.dispatch(
    {
      method: 'POST',
      path: PATHS[request.endpoint],
      headers: { 'content-type': 'application/json', accept: ask.streamed ? 'text/event-stream' : 'application/json' },
      body: ask.body,
      attempt: {
        id,
        replica: replica.identity.id,
        deadlineMs: Math.max(1, Math.round(deps.options.timeouts.totalMs - (now - request.startedMs))),
        priority: ENGINE_PRIORITY[ask.hints.priority],
        cacheSalt: deps.cacheSalt(key.organization),
        streamed: ask.streamed,
        usageAsked: ask.usageAsked,
      },
    },
    stream,
  );
  const routed = deps.router.sent(placement, candidate, replica.upstream.lastDispatch, now);
  context.route.attempts.push(loggedAttempt(id, replica, route));
  return new OpenAttempt({ id, routed, stream }, permit, now);
}
