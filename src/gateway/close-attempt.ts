import type { AttemptVerdict } from '../health/index.ts';
import { attemptCount } from './attempt-count.ts';
import type { RequestContext } from './context.ts';
import type { GatewayDeps } from './deps.ts';
import type { OpenAttempt } from './open-attempt.ts';
import type { Settlement } from '../openai/index.ts';
import type { AttemptEnd } from './outcome.ts';

/**
 * Ends an attempt and puts its record with the request's others. The count of one that was given up comes from its
 * node a moment later, and is waited for within a bound; what comes after that becomes an adjustment.
 */
export async function closeAttempt(
  context: RequestContext,
  open: OpenAttempt,
  outcome: AttemptEnd,
  deps: GatewayDeps,
): Promise<void> {
  const endedMs = deps.clock.now();
  const settlement = isSettlementDue(open, outcome)
    ? await deps.settlements.wait(open.id, deps.options.timeouts.settlementMs)
    : settlementOf(outcome);
  context.isWorkLost ||= outcome.kind === 'failed' && outcome.isAfterWork;
  const errorCode = outcome.kind === 'failed' ? outcome.error.code : null;
  const count = attemptCount(settlement, open.stream.frames, context.ask.promptTokensEstimate);
  const how = { outcome: outcome.kind === 'superseded' ? ('aborted' as const) : outcome.kind, errorCode, verdict: verdict(outcome) };
  const record = open.end(how, count, context.request.startedMs, endedMs);
  context.attempts.push(record);
  const logged = context.route.attempts.find(({ id }) => id === open.id);
  if (logged !== undefined) logged.record = record;
  context.open.delete(open);
  deps.waitingRoom.roomMayHaveCome();
}

/** Whether a count is worth waiting for: not before another attempt, which the client waits for. */
function isSettlementDue({ stream, ttftMs }: OpenAttempt, outcome: AttemptEnd): boolean {
  if (outcome.kind === 'completed' || outcome.kind === 'superseded' || outcome.settlement !== null) return false;
  return outcome.kind === 'aborted' || (stream.isGivenUp && ttftMs !== null);
}

function settlementOf(outcome: AttemptEnd): Settlement | null {
  return outcome.kind === 'superseded' ? null : outcome.settlement;
}

function verdict(outcome: AttemptEnd): AttemptVerdict {
  switch (outcome.kind) {
    case 'completed':
      return 'success';
    case 'aborted':
    case 'superseded':
      return 'ignored';
    case 'failed':
      return outcome.isReplicaFault ? 'failure' : 'ignored';
  }
}
