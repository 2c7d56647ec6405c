import type { Placement, Route } from '../../balancer/index.ts';
import { TEXT_TOKENS_DEFAULT, type Usage } from '../../openai/index.ts';
import { writeAnswerEnd } from '../answer-end.ts';
import type { Continued, RequestContext } from '../context.ts';
import type { DeliveredAnswer } from '../delivered.ts';
import type { GatewayDeps } from '../deps.ts';
import type { Attempted } from '../hedged-try.ts';
import type { OpenAttempt } from '../open-attempt.ts';
import type { FailedOutcome } from '../outcome.ts';
import { Seam } from '../seam.ts';
import { attempt, routeIfAny } from './attempt.ts';
import type { Plan } from './plan.ts';

interface BrokenOff {
  readonly attempt: OpenAttempt;
  readonly outcome: FailedOutcome;
}

/**
 * Goes on elsewhere with an answer whose replica was lost after the first byte: from the tokens that were delivered, or from
 * their text. Where that is not possible the answer ends as its attempt did, in an error event.
 */
export async function resume(context: RequestContext, { attempt: lost, outcome }: BrokenOff, plan: Plan, deps: GatewayDeps): Promise<Attempted> {
  const answer = context.delivered?.read() ?? null;
  const ended: Attempted = { kind: 'ended', outcome };
  if (context.reply.isGone) return { kind: 'ended', outcome: { kind: 'aborted', settlement: null } };
  if (answer === null || answer.hasToolCalls || (context.ask.continuableBy === 'tokens' && lost.stream.ids === null)) {
    deps.metrics.continued('impossible');
    return ended;
  }
  context.continued = continuedFrom(context, answer, lost);
  const over = endOf(context, answer);
  if (over !== null) {
    writeAnswerEnd(context, null, over.reason);
    deps.metrics.continued('over');
    return { kind: 'ended', outcome: { kind: 'completed', settlement: null, whole: null } };
  }
  const placement = placementOf(plan.placement, context.continued);
  const route = routeElsewhere(context, placement, lost, deps);
  const resumed = route === null ? ended : await attempt(context, { placement, route, heldMs: 0 }, deps, [lost.replica.identity]);
  deps.metrics.continued(resumed.kind === 'answering' ? 'resumed' : 'failed');
  // Why the answer broke off says more than why it could not go on.
  return resumed.kind === 'ended' && resumed.outcome.kind === 'failed' ? ended : resumed;
}

function continuedFrom({ ask }: RequestContext, answer: DeliveredAnswer, { id, stream }: OpenAttempt): Continued {
  const { ids, counted, frames } = stream;
  const tokens = ids?.delivered.length ?? counted?.completionTokens ?? frames;
  const usage: Usage =
    counted === null
      ? { promptTokens: ask.promptTokensEstimate, cachedTokens: 0, completionTokens: tokens, reasoningTokens: 0 }
      : { ...counted, completionTokens: tokens };
  return {
    attempt: id,
    resume: { text: answer.text, reasoning: answer.reasoning, tokens, ids },
    usage,
    source: counted === null ? 'gateway' : 'node',
    seam: new Seam(answer, usage, ask.stops),
  };
}

/** The answer was whole when its replica was lost: its end had been told, or nothing more may follow. */
function endOf({ ask, request, continued }: RequestContext, answer: DeliveredAnswer): { readonly reason: string | null } | null {
  if (answer.finishReason !== null) return { reason: null };
  const most = ask.outputTokensMax ?? (request.endpoint === 'completions' ? TEXT_TOKENS_DEFAULT : Infinity);
  return (continued?.resume.tokens ?? 0) >= most ? { reason: 'length' } : null;
}

/** The prompt has grown by what was delivered. */
function placementOf(placement: Placement, { resume: { tokens } }: Continued): Placement {
  return { ...placement, promptTokens: placement.promptTokens + tokens, outputTokens: Math.max(1, placement.outputTokens - tokens) };
}

/**
 * The client waits in mid-answer: it is not held at the edge again. Whatever took one node may be about to take its region, so
 * another one comes first.
 */
function routeElsewhere(context: RequestContext, placement: Placement, lost: OpenAttempt, deps: GatewayDeps): Route | null {
  const { node, region } = lost.replica.identity;
  return (
    routeIfAny(context, placement, (identity) => identity.region !== region, deps) ?? routeIfAny(context, placement, (identity) => identity.node !== node, deps)
  );
}
