import type { Candidate, Placement, Route } from '../balancer/index.ts';
import { attemptId } from '../core/index.ts';
import type { AttemptPermit, Replica } from '../health/index.ts';
import { AttemptError } from '../openai/index.ts';
import { AttemptStream, type FirstSign } from './attempt-stream.ts';
import type { RequestContext } from './context.ts';
import type { GatewayDeps } from './deps.ts';
import { PATHS } from './engine-paths.ts';
import { OpenAttempt } from './open-attempt.ts';
import { loggedAttempt } from './route-log.ts';

/** A replica that has let an attempt in. */
export interface Entered {
  readonly route: Route;
  readonly candidate: Candidate<Replica>;
  readonly permit: AttemptPermit;
}

export interface Started {
  readonly open: OpenAttempt;
  /** What it shows first. */
  readonly sign: Promise<FirstSign>;
}

/** Higher runs first in engines that are told to mind it. */
const ENGINE_PRIORITY = { critical: 1, standard: 0, batch: -1 } as const;

/** Dispatches an attempt, and watches it until its first sign: it is given up when the client leaves, or when it shows nothing in time. */
export function startAttempt(context: RequestContext, placement: Placement, entered: Entered, deps: GatewayDeps): Started {
  const open = dispatch(context, placement, entered, deps);
  context.open.add(open);
  const patienceMs = patienceFor(context, placement, open, deps);
  const unwatch = deps.sweep.add((now) => {
    if (now - open.startedMs > patienceMs) open.stream.abort(new AttemptError('timeout', 'no token came in time', null));
  });
  context.reply.onGone(() => open.stream.abort(new AttemptError('cancelled', 'the client went away', null)));
  const sign = open.stream.firstSign.then((first) => {
    unwatch();
    if (first.kind === 'answering') began(context, placement, open, deps);
    return first;
  });
  return { open, sign };
}

/** How long an attempt may show nothing. */
function patienceFor({ ask }: RequestContext, { promptTokens }: Placement, { replica, predictedMs }: OpenAttempt, deps: GatewayDeps): number {
  if (ask.streamed) return deps.patience.firstTokenMs(promptTokens, predictedMs);
  const most = ask.outputTokensMax ?? deps.models.get(ask.model)?.outputTokensMax ?? Infinity;
  return deps.patience.wholeMs(promptTokens, predictedMs, most * replica.pace.tpotMs(Math.max(replica.inFlight, replica.load?.running ?? 0)));
}

function began({ ask, attempts }: RequestContext, placement: Placement, open: OpenAttempt, deps: GatewayDeps): void {
  const now = deps.clock.now();
  open.firstToken(now, ask.streamed);
  // What came after a failure says nothing of how long a first token takes.
  if (ask.streamed && attempts.length === 0) deps.patience.saw(placement.promptTokens, now - open.startedMs);
  deps.waitingRoom.roomMayHaveCome();
}

function dispatch(context: RequestContext, placement: Placement, { route, candidate, permit }: Entered, deps: GatewayDeps): OpenAttempt {
  const { request, ask, key } = context;
  const { replica } = candidate;
  const id = attemptId(request.id, context.route.attempts.length);
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
        continuable: ask.continuableBy !== 'nothing' && context.continued === null,
        resume: context.continued?.resume ?? null,
      },
    },
    stream,
  );
  const routed = deps.router.sent(placement, candidate, replica.upstream.lastDispatch, now);
  if (placement.session !== null) deps.sessions?.note(placement.session, replica.identity.id);
  context.route.attempts.push(loggedAttempt(id, replica, route, context.continued?.resume ?? null));
  return new OpenAttempt({ id, routed, stream, resumedTokens: context.continued?.resume.tokens ?? 0 }, permit, now);
}
