import { attemptId, requestId } from '../../src/core/index.ts';
import type { Checkpoint, OpenRequest, RunningAttempt, UsageRecord } from '../../src/billing/index.ts';
import type { Usage } from '../../src/openai/index.ts';

const ADMITTED_AT_MS = 1_760_000_000_000;

export function usageOf(promptTokens: number, completionTokens: number): Usage {
  return { promptTokens, cachedTokens: Math.floor(promptTokens / 2), completionTokens, reasoningTokens: 0 };
}

export function newRequestId(): string {
  return requestId(ADMITTED_AT_MS);
}

/** One record for each count of completion tokens, in that order. */
export function recordsOf<const Counts extends readonly number[]>(...counts: Counts): { [I in keyof Counts]: UsageRecord } {
  return counts.map((count) => recordOf(newRequestId(), count)) as { [I in keyof Counts]: UsageRecord };
}

export function openOf(id: string): OpenRequest {
  return { ...common(id), attempts: [runningAttempt(id, null)] };
}

export function checkpointOf(id: string, completionTokens: number): Checkpoint {
  const usage = usageOf(100, completionTokens);
  return { requestId: id, elapsedMs: 500, ttftMs: 40, usage, attempts: [runningAttempt(id, usage)] };
}

export function recordOf(id: string, completionTokens = 20, keyId = 'key_a'): UsageRecord {
  const usage = usageOf(100, completionTokens);
  return {
    ...common(id),
    keyId,
    outcome: 'completed',
    status: 200,
    errorCode: null,
    usage,
    source: 'engine',
    estimated: false,
    chargedAttempt: attemptId(id, 0),
    ttftMs: 41.5,
    durationMs: 900,
    attempts: [
      {
        id: attemptId(id, 0),
        replica: 'node-1/0',
        region: 'gcp-us-east4',
        startedMs: 0.4,
        resumedTokens: 0,
        outcome: 'completed',
        errorCode: null,
        usage,
        source: 'engine',
        counted: usage,
        predictedMs: 40,
        ttftMs: 41,
        durationMs: 899,
      },
    ],
  };
}

function runningAttempt(id: string, usage: Usage | null): RunningAttempt {
  return { outcome: 'running', id: attemptId(id, 0), replica: 'node-1/0', region: 'gcp-us-east4', startedMs: 0.4, resumedTokens: 0, predictedMs: 40, ttftMs: null, usage };
}

function common(id: string) {
  return {
    requestId: id,
    admittedAtMs: ADMITTED_AT_MS,
    organization: 'org_default',
    project: 'proj_default',
    keyId: 'key_a',
    model: 'deepseek-v3',
    endpoint: 'chat.completions' as const,
    streamed: true,
    price: { row: 'price_a', tier: 'standard' as const, window: null, input: 560_000_000, inputCached: 70_000_000, output: 1_680_000_000 },
  };
}
