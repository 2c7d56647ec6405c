import type { Attributes } from '@opentelemetry/api';
import { ATTR_ERROR_TYPE, ATTR_HTTP_RESPONSE_STATUS_CODE, ATTR_SERVER_ADDRESS } from '@opentelemetry/semantic-conventions';
import type { TracedAttempt, TracedEnd, TracedStart, TracedUsage } from '../core/index.ts';

const OPERATIONS = { 'chat.completions': 'chat', completions: 'text_completion', embeddings: 'embeddings' } as const;

// OpenTelemetry's GenAI names are spelt out, for their constants are unstable and deprecated in the package.

/** `chat deepseek-v3`: operation and model. */
export function spanName({ endpoint, model }: TracedStart): string {
  return `${OPERATIONS[endpoint]} ${model}`;
}

/** What the request's span and its attempts' spans have in common. */
export function requestAttributes({ endpoint, model, requestId }: TracedStart): Attributes {
  return {
    'gen_ai.operation.name': OPERATIONS[endpoint],
    'gen_ai.provider.name': 'meridian',
    'gen_ai.request.model': model,
    'meridian.request.id': requestId,
  };
}

export function attemptAttributes(attempt: TracedAttempt): Attributes {
  return {
    [ATTR_SERVER_ADDRESS]: attempt.replica,
    'meridian.attempt.id': attempt.id,
    'meridian.replica': attempt.replica,
    'meridian.region': attempt.region,
    'meridian.outcome': attempt.outcome,
    ...(attempt.resumedTokens === 0 ? {} : { 'meridian.resumed_tokens': attempt.resumedTokens }),
    ...(attempt.predictedMs === null ? {} : { 'meridian.predicted_time_to_first_token': attempt.predictedMs / 1000 }),
    ...firstToken(attempt.ttftMs),
    ...errorType(attempt.errorCode),
    ...(attempt.usage === null ? {} : usageAttributes(attempt.usage)),
  };
}

export function endAttributes(end: TracedEnd): Attributes {
  return {
    [ATTR_HTTP_RESPONSE_STATUS_CODE]: end.status,
    'meridian.outcome': end.outcome,
    ...firstToken(end.ttftMs),
    ...errorType(end.errorCode),
    ...usageAttributes(end.usage),
    ...(end.responseId === undefined ? {} : { 'gen_ai.response.id': end.responseId }),
    ...(end.finishReasons === undefined ? {} : { 'gen_ai.response.finish_reasons': [...end.finishReasons] }),
  };
}

function usageAttributes(usage: TracedUsage): Attributes {
  return {
    'gen_ai.usage.input_tokens': usage.promptTokens,
    'gen_ai.usage.output_tokens': usage.completionTokens,
    'gen_ai.usage.cache_read.input_tokens': usage.cachedTokens,
    'gen_ai.usage.reasoning.output_tokens': usage.reasoningTokens,
  };
}

/** Seconds. */
function firstToken(ttftMs: number | null): Attributes {
  return ttftMs === null ? {} : { 'gen_ai.response.time_to_first_chunk': ttftMs / 1000 };
}

function errorType(errorCode: string | null): Attributes {
  return errorCode === null ? {} : { [ATTR_ERROR_TYPE]: errorCode };
}
