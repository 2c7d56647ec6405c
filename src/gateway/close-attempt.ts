import type { AttemptVerdict } from '../health/index.ts';
import { attemptCount } from './attempt-count.ts';
import type { RequestContext } from './context.ts';
import type { GatewayDeps } from './deps.ts';
import type { OpenAttempt } from './open-attempt.ts';
import type { Settlement } from '../openai/index.ts';
import type { AttemptEnd } from './outcome.ts';

/** Nobody waits for what a client that has left is charged. */
const PATIENCE_WHEN_GONE = 3;

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
  open.isClosing = true;
  const endedMs = deps.clock.now();
  const settlement = isSettlementDue(open, outcome)
    ? await deps.settlements.wait(open.id, deps.options.timeouts.settlementMs * (outcome.kind === 'aborted' ? PATIENCE_WHEN_GONE : 1))
    : settlementOf(outcome);
  context.isWorkLost ||= outcome.kind === 'failed' && outcome.isAfterWork;
  const errorCode = outcome.kind === 'failed' || outcome.kind === 'broken-off' ? outcome.error.code : null;
  const count = attemptCount(settlement, open.stream, context.ask.promptTokensEstimate);
  const how = { outcome: OUTCOMES[outcome.kind], errorCode, verdict: verdict(outcome) };
  const record = open.end(how, count, context.request.startedMs, endedMs);
  context.attempts.push(record);
  context.attempts.sort((a, b) => a.startedMs - b.startedMs);
  const logged = context.route.attempts.find(({ id }) => id === open.id);
  if (logged !== undefined) logged.record = record;
  context.open.delete(open);
  deps.waitingRoom.roomMayHaveCome();
}

const OUTCOMES = { completed: 'completed', aborted: 'aborted', failed: 'failed', superseded: 'aborted', 'broken-off': 'failed' } as const;

/** Whether a count is worth waiting for: not before another attempt, which the client waits for. */
function isSettlementDue({ stream, ttftMs }: OpenAttempt, outcome: AttemptEnd): boolean {
  if (outcome.kind === 'completed' || settlementOf(outcome) !== null) return false;
  return outcome.kind === 'aborted' || outcome.kind === 'superseded' || (stream.isGivenUp && ttftMs !== null);
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
    case 'broken-off':
      return outcome.isReplicaFault ? 'failure' : 'ignored';
  }
}
