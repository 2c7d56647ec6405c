import { Type, type Static } from 'typebox';
import type { LoggedAttempt, LoggedCandidate, LoggedRoute } from '../route-log.ts';

const Milliseconds = Type.Number({ description: 'Milliseconds.' });
const Tokens = Type.Number({ minimum: 0, description: 'Tokens.' });
const MillisecondsOrNull = Type.Union([Milliseconds, Type.Null()]);
const TokensOrNull = Type.Union([Tokens, Type.Null()]);

const CandidateObject = Type.Object({
  replica: Type.String(),
  region: Type.String(),
  cost_ms: Milliseconds,
  ttft_ms: Milliseconds,
  mirrored_tokens: Type.Number({ minimum: 0, description: 'Prompt tokens that its cache is believed to hold.' }),
  cached_tokens: Type.Number({ minimum: 0, description: 'The same after trust: what was counted on.' }),
  terms: Type.Object({
    rtt_ms: Milliseconds,
    queue_ms: Milliseconds,
    prefill_ms: Milliseconds,
    others_ms: Milliseconds,
    kv_ms: Milliseconds,
    decode_ms: Milliseconds,
    ramp_ms: Milliseconds,
    failure_ms: Milliseconds,
    price_ms: Milliseconds,
  }),
});

const RoutedAttemptObject = Type.Object({
  id: Type.String(),
  replica: Type.String(),
  chosen_by: Type.String({ description: 'cost, tie, session, exploration, session-hash or two-choices.' }),
  resumed: Type.Union([Type.Object({ tokens: Type.Integer(), by: Type.String({ description: 'tokens or text.' }) }), Type.Null()], {
    description: 'How much of the answer was there when it went on with it, and from what; null for a new answer.',
  }),
  outcome: Type.Union([Type.String(), Type.Null()], { description: 'Null while it is under way.' }),
  predicted_ttft_ms: MillisecondsOrNull,
  actual_ttft_ms: MillisecondsOrNull,
  predicted_cached_tokens: TokensOrNull,
  actual_cached_tokens: TokensOrNull,
  actual_prompt_tokens: TokensOrNull,
  candidates: Type.Array(CandidateObject, { description: 'Least cost first, but for the one that was chosen, which leads.' }),
});

/** Why a request went where it went, as the admin API shows it. */
export const RouteObject = Type.Object({
  object: Type.Literal('route'),
  request_id: Type.String(),
  model: Type.String(),
  prompt_tokens: Type.Number({ description: 'Estimated from its bytes.' }),
  output_tokens: Type.Number({ description: 'Expected of its key and model.' }),
  has_session: Type.Boolean(),
  held_ms: Type.Number({ description: 'Time it waited at the edge for a replica with room.' }),
  attempts: Type.Array(RoutedAttemptObject),
});

export function routeObject({ request, model, promptTokens, outputTokens, hasSession, heldMs, attempts }: LoggedRoute): Static<typeof RouteObject> {
  return {
    object: 'route',
    request_id: request,
    model,
    prompt_tokens: Math.round(promptTokens),
    output_tokens: Math.round(outputTokens),
    has_session: hasSession,
    held_ms: round(heldMs),
    attempts: attempts.map(attemptObject),
  };
}

function attemptObject({ id, replica, chosenBy, resumed, candidates, record }: LoggedAttempt): Static<typeof RoutedAttemptObject> {
  const chosen = candidates.find((candidate) => candidate.replica === replica);
  const usage = record?.source === 'gateway' ? null : (record?.usage ?? null);
  return {
    id,
    replica,
    chosen_by: chosenBy,
    resumed: resumed === null ? null : { ...resumed },
    outcome: record?.outcome ?? null,
    predicted_ttft_ms: chosen === undefined ? null : round(chosen.ttftMs),
    actual_ttft_ms: record?.ttftMs == null ? null : round(record.ttftMs),
    predicted_cached_tokens: chosen === undefined ? null : Math.round(chosen.cachedTokens),
    actual_cached_tokens: usage?.cachedTokens ?? null,
    actual_prompt_tokens: usage?.promptTokens ?? null,
    candidates: candidates.map(candidateObject),
  };
}

function candidateObject({ replica, region, costMs, ttftMs, mirroredTokens, cachedTokens, terms }: LoggedCandidate): Static<typeof CandidateObject> {
  return {
    replica,
    region,
    cost_ms: round(costMs),
    ttft_ms: round(ttftMs),
    mirrored_tokens: Math.round(mirroredTokens),
    cached_tokens: Math.round(cachedTokens),
    terms: {
      rtt_ms: round(terms.rttMs),
      queue_ms: round(terms.queueMs),
      prefill_ms: round(terms.prefillMs),
      others_ms: round(terms.othersMs),
      kv_ms: round(terms.kvMs),
      decode_ms: round(terms.decodeMs),
      ramp_ms: round(terms.rampMs),
      failure_ms: round(terms.failureMs),
      price_ms: round(terms.priceMs),
    },
  };
}

/** To the microsecond. */
function round(timeMs: number): number {
  return Math.round(timeMs * 1_000) / 1_000;
}
