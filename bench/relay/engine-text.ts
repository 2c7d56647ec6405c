import { ANSWER_TEXT, MODEL, PROMPT_TOKENS, TOKENS_PER_STREAM, tokenText } from './answer.ts';

const CREATED = 1_790_000_000;

/** What of the request shapes the bytes of its answer. */
export interface AnswerTerms {
  readonly id: string;
  /** A usage chunk at the end (`stream_options.include_usage`). */
  readonly usageAsked: boolean;
  /** Usage on each chunk (`stream_options.continuous_usage_stats`). */
  readonly runningCounts: boolean;
}

/** The whole answer of a request that is not streamed: about 1 KB of JSON. */
export function jsonAnswer(id: string): string {
  const message = `{"role":"assistant","content":${JSON.stringify(ANSWER_TEXT)},"reasoning_content":null,"tool_calls":null}`;
  const choice = `{"index":0,"message":${message},"logprobs":null,"finish_reason":"stop","matched_stop":1}`;
  return `{"id":"${id}","object":"chat.completion","created":${CREATED},"model":"${MODEL}","choices":[${choice}],"usage":${usage(TOKENS_PER_STREAM)},"metadata":{"weight_version":"default"}}`;
}

/** The first event of a stream, which names the role. */
export function roleEvent(terms: AnswerTerms): string {
  return event(terms, choice('"role":"assistant","content":""', 'null', 'null'), terms.runningCounts ? usage(0) : 'null');
}

/** The event of the token at `index`, about 250 bytes as SGLang writes them. */
export function tokenEvent(terms: AnswerTerms, index: number): string {
  const delta = `"role":null,"content":"${tokenText(index)}"`;
  return event(terms, choice(delta, 'null', 'null'), terms.runningCounts ? usage(index + 1) : 'null');
}

/** Everything after the last token: finish, usage if asked, and `[DONE]`. */
export function closingEvents(terms: AnswerTerms): string {
  const counts = usage(TOKENS_PER_STREAM);
  const finish = event(terms, choice('"role":null,"content":null', '"stop"', '1'), terms.runningCounts ? counts : 'null');
  return finish + (terms.usageAsked ? event(terms, '', counts) : '') + 'data: [DONE]\n\n';
}

function event(terms: AnswerTerms, choices: string, usageJson: string): string {
  return `data: {"id":"${terms.id}","object":"chat.completion.chunk","created":${CREATED},"model":"${MODEL}","choices":[${choices}],"usage":${usageJson}}\n\n`;
}

function choice(delta: string, finishReason: string, matchedStop: string): string {
  return `{"index":0,"delta":{${delta},"reasoning_content":null,"tool_calls":null},"logprobs":null,"finish_reason":${finishReason},"matched_stop":${matchedStop}}`;
}

function usage(completionTokens: number): string {
  return `{"prompt_tokens":${PROMPT_TOKENS},"total_tokens":${PROMPT_TOKENS + completionTokens},"completion_tokens":${completionTokens},"prompt_tokens_details":{"cached_tokens":0},"reasoning_tokens":0}`;
}
