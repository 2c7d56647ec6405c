import type { Journal, UsageRecord } from '../src/billing/index.ts';
import { attemptId, requestId, systemClock } from '../src/core/index.ts';

export const PRICE = { row: 'price_bench', tier: 'standard', window: null, input: 560_000_000, inputCached: 70_000_000, output: 1_680_000_000 } as const;
export const USAGE = { promptTokens: 1_000, cachedTokens: 512, completionTokens: 300, reasoningTokens: 0 };

/** Gives the journal the record of a usual request; resolves when it is durable. */
export function settleRecord(journal: Journal): Promise<void> {
  const wallMs = systemClock.wallMs();
  const id = requestId(wallMs);
  const attempt = { id: attemptId(id, 0), replica: 'gcp-us-east4-1/0', region: 'gcp-us-east4', startedMs: 0.4, resumedTokens: 0, outcome: 'completed', errorCode: null, usage: USAGE, source: 'engine', counted: USAGE, predictedMs: 40, ttftMs: 41, durationMs: 899 } as const;
  const record: UsageRecord = {
    requestId: id, admittedAtMs: wallMs, organization: 'org_default', project: 'proj_default', keyId: 'key_01M8D6CTQM8JR0EFW0YTA4ZXC4', model: 'deepseek-v3', endpoint: 'chat.completions', streamed: false,
    price: PRICE, outcome: 'completed', status: 200, errorCode: null, usage: USAGE, source: 'engine', estimated: false, chargedAttempt: attempt.id, ttftMs: 41, durationMs: 900, attempts: [attempt],
  };
  return journal.settle(record);
}
