import { NO_USAGE } from '../../openai/index.ts';
import type { AttemptProgress, AttemptRecord, Checkpoint, OpenRequest, UsageRecord } from '../usage-record.ts';

/**
 * The record of a request that was open when the gateway died: what its last checkpoint says, marked as an estimate;
 * nothing when there is none.
 */
export function interruptedRecord(open: OpenRequest, checkpoint: Checkpoint | null): UsageRecord {
  const { attempts, ...request } = open;
  const elapsedMs = checkpoint?.elapsedMs ?? 0;
  return {
    ...request,
    outcome: 'interrupted',
    status: 0,
    errorCode: null,
    usage: checkpoint?.usage ?? NO_USAGE,
    source: 'gateway',
    estimated: true,
    // What its node counted corrects it, once something was delivered that is charged.
    chargedAttempt: chargedAttempt(checkpoint),
    ttftMs: checkpoint?.ttftMs ?? null,
    durationMs: elapsedMs,
    attempts: (checkpoint?.attempts ?? attempts).map((attempt) => interruptedAttempt(attempt, elapsedMs)),
  };
}

function chargedAttempt(checkpoint: Checkpoint | null): string | null {
  if (checkpoint === null || checkpoint.usage.completionTokens === 0) return null;
  const isInParts = checkpoint.attempts.some(({ resumedTokens }) => resumedTokens > 0);
  return isInParts ? null : (checkpoint.attempts.at(-1)?.id ?? null);
}

function interruptedAttempt(attempt: AttemptProgress, elapsedMs: number): AttemptRecord {
  if (attempt.outcome !== 'running') return attempt;
  return {
    ...attempt,
    outcome: 'interrupted',
    errorCode: null,
    source: attempt.usage === null ? 'none' : 'gateway',
    counted: null,
    durationMs: Math.max(0, elapsedMs - attempt.startedMs),
  };
}
