import type { Answer } from './answer.ts';
import type { GenerationRequest } from './generation-request.ts';
import { logprobsJson } from './logprobs.ts';

/** Counts of one request, over all its choices. */
export interface AttemptCounts {
  readonly prompt: number;
  readonly cached: number;
  readonly completion: number;
  readonly reasoning: number;
}

export type FinishReason = Answer['finishReason'] | 'abort';

/** SGLang's `usage` object as JSON: cached tokens are null when there are none. */
function usageJson(counts: AttemptCounts): string {
  const details = counts.cached === 0 ? 'null' : `{"cached_tokens":${counts.cached}}`;
  return (
    `{"prompt_tokens":${counts.prompt},"total_tokens":${counts.prompt + counts.completion},` +
    `"completion_tokens":${counts.completion},"prompt_tokens_details":${details},"reasoning_tokens":${counts.reasoning}}`
  );
}

/** Writes the events of one streamed answer as text, and the body of one that is not streamed. */
export class AnswerFormat {
  readonly #request: GenerationRequest;
  readonly #id: string;
  readonly #created: number;
  readonly #head: string;

  constructor(request: GenerationRequest, id: string, createdS: number) {
    this.#request = request;
    this.#id = id;
    this.#created = createdS;
    const object = request.kind === 'chat' ? 'chat.completion.chunk' : 'text_completion';
    this.#head = `data: {"id":${JSON.stringify(id)},"object":"${object}","created":${createdS},"model":${JSON.stringify(request.model)},"choices":[`;
  }

  /** What comes before a choice's first token: its role, and the name of the function it calls. Texts have none. */
  opening(index: number, prompt: readonly number[], counts: AttemptCounts): string {
    const ids = this.#request.returnPromptTokenIds ? `,"prompt_token_ids":${JSON.stringify(prompt)}` : '';
    if (this.#request.kind === 'text') return ids === '' ? '' : this.#event(index, '"text":""', 'null', ids, 'null', counts);
    const role = this.#event(index, '"delta":{"role":"assistant","content":""}', 'null', ids, 'null', counts);
    const { form } = this.#request;
    if (form.kind !== 'tool') return role;
    const call = `{"id":"${this.#callId(index)}","index":0,"type":"function","function":{"name":${JSON.stringify(form.name)},"arguments":""}}`;
    return role + this.#event(index, `"delta":{"tool_calls":[${call}]}`, 'null', '', 'null', counts);
  }

  /** The event of token `k` of a choice. */
  token(index: number, answer: Answer, k: number, counts: AttemptCounts): string {
    const piece = JSON.stringify(answer.pieces[k] ?? '');
    const { kind, form, returnTokenIds, logprobs } = this.#request;
    const ids = returnTokenIds ? `,"token_ids":[${answer.tokens[k] ?? 0}]` : '';
    const probabilities = logprobs === null ? 'null' : logprobsJson(kind, answer, k, k + 1, logprobs);
    let text: string;
    if (kind === 'text') text = `"text":${piece}`;
    else if (form.kind === 'tool') text = `"delta":{"tool_calls":[{"index":0,"function":{"arguments":${piece}}}]}`;
    else if (k < answer.reasoningTokens) text = `"delta":{"reasoning_content":${piece}}`;
    else text = `"delta":{"content":${piece}}`;
    return this.#event(index, text, probabilities, ids, 'null', counts);
  }

  /** The closing event of a choice; `endToken` is the end mark, which has no event of its own. */
  finish(index: number, reason: FinishReason, matchedStop: string | null, endToken: number | null, counts: AttemptCounts): string {
    const ids = this.#request.returnTokenIds && endToken !== null ? `,"token_ids":[${endToken}]` : '';
    const matched = matchedStop === null ? '' : `,"matched_stop":${JSON.stringify(matchedStop)}`;
    const text = this.#request.kind === 'chat' ? '"delta":{}' : '"text":""';
    return this.#event(index, text, 'null', ids + matched, `"${reason}"`, counts);
  }

  /** What follows the last choice: usage if it was asked for, and the end. */
  closing(counts: AttemptCounts): string {
    const usage = this.#request.includeUsage ? `${this.#head}],"usage":${usageJson(counts)}}\n\n` : '';
    return `${usage}data: [DONE]\n\n`;
  }

  /** The answer in one piece: the first `made[i]` tokens of choice i. */
  whole(
    choices: readonly { readonly answer: Answer; readonly made: number; readonly reason: FinishReason; readonly prompt: readonly number[] }[],
    counts: AttemptCounts,
  ): string {
    const { kind, returnTokenIds, returnPromptTokenIds, logprobs } = this.#request;
    return JSON.stringify({
      id: this.#id,
      object: kind === 'chat' ? 'chat.completion' : 'text_completion',
      created: this.#created,
      model: this.#request.model,
      choices: choices.map(({ answer, made, reason, prompt }, index) => ({
        index,
        ...this.#wholeText(answer, made, index),
        logprobs: logprobs === null ? null : (JSON.parse(logprobsJson(kind, answer, 0, made, logprobs)) as unknown),
        finish_reason: reason,
        matched_stop: answer.matchedStop,
        ...(returnTokenIds ? { token_ids: answer.tokens.slice(0, made) } : {}),
        ...(returnPromptTokenIds ? { prompt_token_ids: prompt } : {}),
      })),
      usage: JSON.parse(usageJson(counts)) as unknown,
    });
  }

  #wholeText(answer: Answer, made: number, index: number): object {
    const reasoning = answer.pieces.slice(0, Math.min(made, answer.reasoningTokens)).join('');
    const text = answer.pieces.slice(answer.reasoningTokens, made).join('');
    if (this.#request.kind === 'text') return { text };
    const { form } = this.#request;
    const calls =
      form.kind === 'tool'
        ? [{ id: this.#callId(index), index: 0, type: 'function', function: { name: form.name, arguments: text } }]
        : null;
    return {
      message: {
        role: 'assistant',
        content: calls === null ? text : null,
        reasoning_content: reasoning === '' ? null : reasoning,
        tool_calls: calls,
      },
    };
  }

  #callId(index: number): string {
    return `call_${this.#request.seed}_${index}`;
  }

  #event(index: number, text: string, logprobs: string, extra: string, reason: string, counts: AttemptCounts): string {
    let usage = '';
    if (this.#request.continuousUsage) usage = `,"usage":${usageJson(counts)}`;
    else if (this.#request.includeUsage) usage = ',"usage":null';
    return `${this.#head}{"index":${index},${text},"logprobs":${logprobs}${extra},"finish_reason":${reason}}]${usage}}\n\n`;
  }
}
