import type { Placement } from '../balancer/index.ts';
import { wait } from '../core/index.ts';
import { AttemptError } from '../openai/index.ts';
import type { FirstSign } from './attempt-stream.ts';
import { closeAttempt } from './close-attempt.ts';
import type { RequestContext } from './context.ts';
import type { GatewayDeps } from './deps.ts';
import type { OpenAttempt } from './open-attempt.ts';
import { failedOutcome, type AnswerOutcome } from './outcome.ts';
import { startAttempt, type Entered, type Started } from './start-attempt.ts';

export type Attempted =
  | { readonly kind: 'answering'; readonly attempt: OpenAttempt; readonly status: number }
  /** No attempt began to answer; this is how the last one ended. */
  | { readonly kind: 'ended'; readonly outcome: AnswerOutcome };

/**
 * One try of a request: an attempt, and a second one on another node when the first is late beside others of its size, and the
 * other one is not expected to be: a prompt that is cached nowhere else would be prefilled for nothing. The first to answer goes on; the other one is cancelled, and is nobody's charge.
 */
export async function hedgedTry(
  context: RequestContext,
  placement: Placement,
  entered: Entered,
  enterOther: (ttftMsMax: number) => Entered | null,
  deps: GatewayDeps,
): Promise<Attempted> {
  const first = startAttempt(context, placement, entered, deps);
  const lateMs = context.ask.streamed ? deps.patience.hedgeAfterMs(placement.promptTokens) : null;
  const sign = await signWithin(first, lateMs, deps);
  if (sign !== null) return concluded(context, first, sign, deps);
  const other = enterHedge(context, () => enterOther(lateMs ?? Infinity), deps);
  if (other === null) return concluded(context, first, await first.sign, deps);
  deps.metrics.hedged();
  return sooner(context, [first, startAttempt(context, placement, other, deps)], deps);
}

/** What the attempt showed within `withinMs`; null when that was nothing. Without a bound it is waited for. */
async function signWithin({ sign }: Started, withinMs: number | null, { clock }: GatewayDeps): Promise<FirstSign | null> {
  if (withinMs === null) return sign;
  const over = new AbortController();
  const first = await Promise.race([sign, wait(clock, withinMs, over.signal).then(() => null)]);
  over.abort();
  return first;
}

function enterHedge({ ask, reply }: RequestContext, enterOther: () => Entered | null, deps: GatewayDeps): Entered | null {
  if (reply.isGone || !deps.patience.isCalm(ask.model, deps.fleet, deps.clock.now()) || !deps.hedges.canSpend()) return null;
  const entered = enterOther();
  if (entered !== null) deps.hedges.trySpend();
  return entered;
}

async function sooner(context: RequestContext, [one, other]: readonly [Started, Started], deps: GatewayDeps): Promise<Attempted> {
  const [leading, sign] = await Promise.race([one, other].map(async (started): Promise<[Started, FirstSign]> => [started, await started.sign]));
  const trailing = leading === one ? other : one;
  if (sign.kind === 'answering') {
    giveUp(context, trailing, deps);
    return concluded(context, leading, sign, deps);
  }
  const failed = await concluded(context, leading, sign, deps);
  // What one engine refuses for the client's own fault the other one refuses as well.
  if (failed.kind === 'ended' && failed.outcome.kind === 'failed' && !failed.outcome.isRetryable) {
    giveUp(context, trailing, deps);
    return failed;
  }
  return concluded(context, trailing, await trailing.sign, deps);
}

/** Its count comes a moment later, and is kept as cost. */
function giveUp(context: RequestContext, { open }: Started, deps: GatewayDeps): void {
  open.stream.abort(new AttemptError('cancelled', 'another attempt was sooner', null));
  context.closing.push(closeAttempt(context, open, { kind: 'superseded' }, deps));
}

async function concluded(context: RequestContext, { open }: Started, sign: FirstSign, deps: GatewayDeps): Promise<Attempted> {
  if (sign.kind === 'answering') {
    context.shown.replica = open.replica.identity;
    context.answeredBy = open.id;
    return { kind: 'answering', attempt: open, status: sign.status };
  }
  const outcome = failedOutcome(sign.error);
  await closeAttempt(context, open, outcome, deps);
  return { kind: 'ended', outcome };
}
