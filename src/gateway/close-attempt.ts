import type { AttemptVerdict } from '../health/index.ts';
import { attemptCount } from './attempt-count.ts';
import type { RequestContext } from './context.ts';
import type { GatewayDeps } from './deps.ts';
import type { OpenAttempt } from './open-attempt.ts';
import type { AnswerOutcome } from './outcome.ts';

/**
 * Ends an attempt and puts its record with the request's others. The count of one that was given up comes from its
 * node a moment later, and is waited for within a bound; what comes after that becomes an adjustment.
 */
export async function closeAttempt(
  context: RequestContext,
  open: OpenAttempt,
  outcome: AnswerOutcome,
  deps: GatewayDeps,
): Promise<void> {
  const endedMs = deps.clock.now();
  const settlement = isSettlementDue(open, outcome)
    ? await deps.settlements.wait(open.id, deps.options.timeouts.settlementMs)
    : outcome.settlement;
  context.isWorkLost ||= outcome.kind === 'failed' && outcome.isAfterWork;
  const errorCode = outcome.kind === 'failed' ? outcome.error.code : null;
  const count = attemptCount(settlement, open.stream.frames, context.ask.promptTokensEstimate);
  const how = { outcome: outcome.kind, errorCode, verdict: verdict(outcome) };
  const record = open.end(how, count, context.request.startedMs, endedMs);
  context.attempts.push(record);
  const logged = context.route.attempts.at(-1);
  if (logged !== undefined) logged.record = record;
  context.current = null;
  deps.waitingRoom.roomMayHaveCome();
}

/** Whether a count is worth waiting for: not before another attempt, which the client waits for. */
function isSettlementDue({ stream, ttftMs }: OpenAttempt, outcome: AnswerOutcome): boolean {
  if (outcome.kind === 'completed' || outcome.settlement !== null) return false;
  return outcome.kind === 'aborted' || (stream.isGivenUp && ttftMs !== null);
}

function verdict(outcome: AnswerOutcome): AttemptVerdict {
  switch (outcome.kind) {
    case 'completed':
      return 'success';
    case 'aborted':
      return 'ignored';
    case 'failed':
      return outcome.isReplicaFault ? 'failure' : 'ignored';
  }
}
