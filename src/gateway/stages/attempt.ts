import { attemptId, MeridianError, wait } from '../../core/index.ts';
import type { Candidate } from '../../balancer/index.ts';
import type { AttemptPermit, Replica } from '../../health/index.ts';
import { AttemptError } from '../../openai/index.ts';
import { AttemptStream } from '../attempt-stream.ts';
import { closeAttempt } from '../close-attempt.ts';
import type { RequestContext } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';
import { OpenAttempt } from '../open-attempt.ts';
import { failedOutcome, type AnswerOutcome } from '../outcome.ts';

export type Attempted =
  | { readonly kind: 'answering'; readonly attempt: OpenAttempt; readonly status: number }
  /** No attempt began to answer; this is how the last one ended. */
  | { readonly kind: 'ended'; readonly outcome: AnswerOutcome };

const PATHS = {
  'chat.completions': '/v1/chat/completions',
  completions: '/v1/completions',
  embeddings: '/v1/embeddings',
} as const;

/**
 * Tries the candidates in order until one begins to answer. A failure before the first byte is tried on another node,
 * within the bounds; the client's own fault, and a client that left, are not.
 */
export async function attempt(context: RequestContext, candidates: readonly Candidate[], deps: GatewayDeps): Promise<Attempted> {
  const { attemptsMax, jitterMinMs, jitterMaxMs } = deps.options.retries;
  const triedNodes = new Set<string>();
  let last: Attempted | null = null;
  let isPauseDue = false;
  for (const candidate of candidates) {
    const replica = deps.fleet.get(candidate.id);
    if (replica === undefined || triedNodes.has(replica.identity.node)) continue;
    if (isPauseDue) await wait(deps.clock, jitterMinMs + deps.rng.next() * (jitterMaxMs - jitterMinMs));
    isPauseDue = false;
    // Its link may have broken meanwhile, and a try that cannot succeed would be one of the few there are.
    if (deps.fleet.get(candidate.id) !== replica) continue;
    if (context.reply.isGone) return { kind: 'ended', outcome: { kind: 'aborted', settlement: null } };
    const permit = replica.enter(deps.clock.now());
    if (permit === null) continue;
    triedNodes.add(replica.identity.node);
    last = await tryOne(context, candidate, replica, permit, deps);
    isPauseDue = true;
    if (last.kind === 'answering' || last.outcome.kind !== 'failed' || !last.outcome.isRetryable) return last;
    if (context.attempts.length >= attemptsMax) break;
  }
  return last ?? { kind: 'ended', outcome: notTaken() };
}

/** Every replica closed between plan and attempt. The request is under way by now, so it ends in a record. */
function notTaken(): AnswerOutcome {
  const error = new MeridianError('overloaded', { message: 'No replica can take this request now.' });
  return { kind: 'failed', error, settlement: null, isRetryable: true, isReplicaFault: false, isAfterWork: false };
}

async function tryOne(
  context: RequestContext,
  candidate: Candidate,
  replica: Replica,
  permit: AttemptPermit,
  deps: GatewayDeps,
): Promise<Attempted> {
  const open = dispatch(context, candidate, replica, permit, deps);
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
    open.firstToken(deps.clock.now());
    context.shown.replica = replica.identity;
    return { kind: 'answering', attempt: open, status: sign.status };
  }
  const outcome = failedOutcome(sign.error);
  await closeAttempt(context, open, outcome, deps);
  return { kind: 'ended', outcome };
}

function dispatch(
  context: RequestContext,
  candidate: Candidate,
  replica: Replica,
  permit: AttemptPermit,
  deps: GatewayDeps,
): OpenAttempt {
  const { request, ask, key, attempts } = context;
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
        priority: 0,
        cacheSalt: deps.cacheSalt(key.organization),
        streamed: ask.streamed,
        usageAsked: ask.usageAsked,
      },
    },
    stream,
  );
  const dispatched = replica.upstream.lastDispatch;
  replica.log.sent(dispatched, ask.promptTokensEstimate);
  return new OpenAttempt({ id, candidate, replica, stream }, permit, dispatched, now);
}
