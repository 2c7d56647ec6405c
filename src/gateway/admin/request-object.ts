import { Type, type Static } from 'typebox';
import { chargeOf, chargeTotal, type AttemptRecord, type JournalEntry, type RequestPrice } from '../../billing/index.ts';
import { nanoUsdPerMTok, perMillion, usdText } from '../../core/index.ts';
import type { Usage } from '../../openai/index.ts';


const Text = Type.Union([Type.String(), Type.Null()]);
const Milliseconds = Type.Union([Type.Number(), Type.Null()], { description: 'Milliseconds.' });
const Count = Type.Integer({ minimum: 0 });

const UsageObject = Type.Object({
  prompt_tokens: Count,
  cached_tokens: Count,
  completion_tokens: Count,
  reasoning_tokens: Count,
});
const UsageOrNull = Type.Union([UsageObject, Type.Null()]);

const AttemptObject = Type.Object({
  id: Type.String(),
  replica: Type.String(),
  region: Type.String(),
  outcome: Type.String(),
  error_code: Text,
  started_ms: Type.Number({ description: 'Since admission.' }),
  resumed_tokens: Type.Integer({ minimum: 0, description: 'Tokens of the answer that were there when it went on with it; 0 for an attempt that began it.' }),
  duration_ms: Type.Number(),
  predicted_ms: Milliseconds,
  ttft_ms: Milliseconds,
  usage: UsageOrNull,
  source: Type.String({ description: 'Who counted: engine, node, gateway (an estimate) or none.' }),
  counted: UsageOrNull,
});

const Dollars = Type.String({ description: 'Dollars, exact.' });
const PriceObject = Type.Union([
  Type.Object({
    id: Type.String({ description: 'The row of the price book that held at admission.' }),
    tier: Type.String(),
    window: Text,
    input_usd: Dollars,
    input_cached_usd: Dollars,
    output_usd: Dollars,
  }),
  Type.Null(),
], { description: 'Per million tokens; null for a model that costs nothing.' });

/** One request as the admin API shows it. */
export const RequestObject = Type.Object({
  object: Type.Literal('request'),
  id: Type.String(),
  admitted_at: Type.Number({ description: 'Seconds since the epoch, to the millisecond.' }),
  organization: Type.String(),
  project: Type.String(),
  key_id: Type.String(),
  model: Type.String(),
  endpoint: Type.String(),
  streamed: Type.Boolean(),
  outcome: Type.String({ description: 'completed, aborted, failed or interrupted.' }),
  status: Type.Integer(),
  error_code: Text,
  ttft_ms: Milliseconds,
  duration_ms: Type.Number(),
  usage: UsageObject,
  source: Type.String(),
  estimated: Type.Boolean(),
  charged_attempt: Type.Union([Type.String(), Type.Null()], { description: 'The attempt whose count is charged; null when nothing is, or an answer in two parts.' }),
  price: PriceObject,
  charge_usd: Dollars,
  attempts: Type.Array(AttemptObject),
  adjustments: Type.Array(
    Type.Object({ attempt_id: Type.String(), outcome: Type.String(), usage: UsageObject, recorded_at: Type.Number() }),
  ),
});

export function requestObject({ record, adjustments }: JournalEntry): Static<typeof RequestObject> {
  return {
    object: 'request',
    id: record.requestId,
    admitted_at: record.admittedAtMs / 1000,
    organization: record.organization,
    project: record.project,
    key_id: record.keyId,
    model: record.model,
    endpoint: record.endpoint,
    streamed: record.streamed,
    outcome: record.outcome,
    status: record.status,
    error_code: record.errorCode,
    ttft_ms: rounded(record.ttftMs),
    duration_ms: round(record.durationMs),
    usage: usageObject(record.usage),
    source: record.source,
    estimated: record.estimated,
    charged_attempt: record.chargedAttempt ?? null,
    price: priceObject(record.price),
    charge_usd: usdText(chargeTotal(chargeOf(record.usage, record.price))),
    attempts: record.attempts.map(attemptObject),
    adjustments: adjustments.map(({ attemptId, outcome, usage, recordedAtMs }) => ({
      attempt_id: attemptId,
      outcome,
      usage: usageObject(usage),
      recorded_at: recordedAtMs / 1000,
    })),
  };
}

function attemptObject(attempt: AttemptRecord): Static<typeof AttemptObject> {
  return {
    id: attempt.id,
    replica: attempt.replica,
    region: attempt.region,
    outcome: attempt.outcome,
    error_code: attempt.errorCode,
    started_ms: round(attempt.startedMs),
    resumed_tokens: attempt.resumedTokens,
    duration_ms: round(attempt.durationMs),
    predicted_ms: rounded(attempt.predictedMs),
    ttft_ms: rounded(attempt.ttftMs),
    usage: attempt.usage === null ? null : usageObject(attempt.usage),
    source: attempt.source,
    counted: attempt.counted === null ? null : usageObject(attempt.counted),
  };
}

function usageObject(usage: Usage): Static<typeof UsageObject> {
  return {
    prompt_tokens: usage.promptTokens,
    cached_tokens: usage.cachedTokens,
    completion_tokens: usage.completionTokens,
    reasoning_tokens: usage.reasoningTokens,
  };
}

function priceObject(price: RequestPrice | null | undefined): Static<typeof PriceObject> {
  if (price == null) return null;
  const { row, tier, window, input, inputCached, output } = price;
  return { id: row, tier, window, input_usd: perMillionText(input), input_cached_usd: perMillionText(inputCached), output_usd: perMillionText(output) };
}

function perMillionText(nanoUsd: number): string {
  return usdText(perMillion(nanoUsdPerMTok(nanoUsd)));
}

/** To the microsecond. */
function round(timeMs: number): number {
  return Math.round(timeMs * 1000) / 1000;
}

function rounded(timeMs: number | null): number | null {
  return timeMs === null ? null : round(timeMs);
}
