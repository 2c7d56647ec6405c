import type { ServerResponse } from 'node:http';
import { AnswerFormat, type AttemptCounts, type FinishReason } from './answer-format.ts';
import { fixedAnswer, freeAnswer, type Answer } from './answer.ts';
import type { AttemptRecord } from './attempt-log.ts';
import type { Passenger } from './engine-driver.ts';
import type { EngineModel } from './engine-model.ts';
import type { EngineRun } from './engine-run.ts';
import type { RequestFault } from './faults.ts';
import type { GenerationRequest } from './generation-request.ts';
import { engineError, sendJson, SimHttpError } from './http-json.ts';
import { pageKeys } from './page-keys.ts';
import { schemaSample } from './schema-sample.ts';
import { MARK } from './vocabulary.ts';

interface Choice {
  readonly prompt: readonly number[];
  readonly answer: Answer;
  readonly run: EngineRun;
  /** Tokens handed out. */
  told: number;
  isClosed: boolean;
}

export interface AttemptDeps {
  readonly model: EngineModel;
  readonly nowMs: number;
  readonly createdS: number;
  readonly fault: RequestFault | null;
  /** A client that leaves more than this unread is cut. */
  readonly unsentBytesMax: number;
  readonly record: (record: Omit<AttemptRecord, 'sequence'>) => void;
  readonly crash: () => void;
}

const GARBAGE = ['\u{fffd}\u{fffd}', '}{;;', ' zqxj', '0x00 ', '\u{2588}'];
const SSE_HEADERS = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };

/** One completion request in the engine: its runs in the model, its answer on the wire, its one end in the log. */
export class EngineAttempt implements Passenger {
  readonly rid: string;
  readonly #request: GenerationRequest;
  readonly #response: ServerResponse;
  readonly #deps: AttemptDeps;
  readonly #format: AnswerFormat;
  readonly #choices: Choice[];
  #isOver = false;
  #isStalled = false;

  /** Puts the request into the model; throws `SimHttpError` when it does not fit. */
  constructor(rid: string, request: GenerationRequest, response: ServerResponse, deps: AttemptDeps) {
    this.rid = rid;
    this.#request = request;
    this.#response = response;
    this.#deps = deps;
    this.#format = new AnswerFormat(request, rid, deps.createdS);
    this.#choices = [];
    try {
      for (const prompt of request.prompts) {
        for (let i = 0; i < request.choices; i += 1) this.#choices.push(this.#submit(prompt, i));
      }
    } catch (error) {
      for (const choice of this.#choices) deps.model.abortRun(choice.run);
      throw error;
    }
  }

  onStep(): boolean {
    if (this.#isOver) return true;
    let text = '';
    let left = this.#tokensUntilFault();
    for (const [index, choice] of this.#choices.entries()) {
      const produced = this.#deps.model.produced(choice.run);
      if (produced > 0 && choice.told === 0 && left > 0) text += this.#opening(index, choice);
      while (choice.told < produced && left > 0) {
        left -= 1;
        text += this.#tell(index, choice);
      }
      const isWhole = choice.told === choice.answer.tokens.length;
      if (isWhole && !choice.isClosed && left > 0) text += this.#close(index, choice, choice.answer.finishReason);
    }
    if (left <= 0 && this.#fails(text)) return true;
    if (this.#choices.every((choice) => choice.isClosed)) {
      this.#finish(text, 'finished');
      return true;
    }
    this.#write(text);
    return this.#isOver;
  }

  /** Told by `/abort_request`: the client gets what there is, closed with the reason `abort`. */
  abort(): void {
    if (this.#isOver) return;
    let text = '';
    for (const [index, choice] of this.#choices.entries()) {
      this.#deps.model.abortRun(choice.run);
      if (choice.isClosed) continue;
      if (choice.told === 0) text += this.#opening(index, choice);
      text += this.#close(index, choice, 'abort');
    }
    this.#finish(text, 'aborted');
  }

  /** The client went away. */
  drop(outcome: 'aborted' | 'failed' = 'aborted'): void {
    if (this.#isOver) return;
    this.#end(outcome);
  }

  #submit(prompt: readonly number[], choiceIndex: number): Choice {
    const { config } = this.#deps.model;
    const { maxTokens } = this.#request;
    const room = Math.min(config.contextTokens, config.kvTokens) - prompt.length;
    if (room < 1 || (maxTokens ?? 1) > room) {
      throw new SimHttpError(
        400,
        room < 1
          ? `The input (${prompt.length} tokens) is longer than the model's context length (${config.contextTokens} tokens).`
          : `Requested token count exceeds the model's maximum context length of ${config.contextTokens} tokens: ${prompt.length} of the input and ${maxTokens} for the completion.`,
      );
    }
    const answer = this.#answer(prompt, choiceIndex, maxTokens ?? room);
    const salt = this.#request.cacheSalt;
    const submission = this.#deps.model.submit(
      {
        rid: this.rid,
        promptTokens: prompt.length,
        pageKeys: pageKeys(prompt, config.pageTokens, salt),
        outputTokens: answer.tokens.length,
        answerPageKeys: (tokens) => pageKeys([...prompt, ...answer.tokens].slice(0, tokens), config.pageTokens, salt),
        priority: this.#request.priority,
      },
      this.#deps.nowMs,
    );
    switch (submission.kind) {
      case 'accepted':
        return { prompt, answer, run: submission.run, told: 0, isClosed: false };
      case 'queue_full':
        throw new SimHttpError(503, 'The request queue is full.');
      case 'too_long':
        throw new SimHttpError(400, `The request is longer than the model's context length (${submission.limitTokens} tokens).`);
    }
  }

  #answer(prompt: readonly number[], choiceIndex: number, maxTokens: number): Answer {
    const { form, seed, stops, ignoreEnd } = this.#request;
    if (form.kind === 'tool') return fixedAnswer(JSON.stringify(schemaSample(form.schema) ?? {}), maxTokens, 'tool_calls');
    if (form.kind === 'json') {
      const sample = schemaSample(form.schema) ?? { answer: 'forty-two', confidence: 0.9 };
      return fixedAnswer(JSON.stringify(sample), maxTokens, 'stop');
    }
    const answer = freeAnswer({ prompt, seed: seed + choiceIndex, maxTokens, ignoreEnd, stops });
    if (this.#deps.fault?.kind !== 'garbage') return answer;
    return { ...answer, pieces: answer.tokens.map((token, k) => (token === MARK.end ? '' : (GARBAGE[k % GARBAGE.length] ?? ''))) };
  }

  #opening(index: number, choice: Choice): string {
    return this.#request.streamed ? this.#format.opening(index, choice.prompt, this.#counts()) : '';
  }

  #tell(index: number, choice: Choice): string {
    const k = choice.told;
    choice.told += 1;
    if (!this.#request.streamed || choice.answer.tokens[k] === MARK.end) return '';
    return this.#format.token(index, choice.answer, k, this.#counts());
  }

  #close(index: number, choice: Choice, reason: FinishReason): string {
    choice.isClosed = true;
    if (!this.#request.streamed) return '';
    const endToken = choice.answer.tokens[choice.told - 1] === MARK.end ? MARK.end : null;
    const matchedStop = reason === 'stop' ? choice.answer.matchedStop : null;
    return this.#format.finish(index, reason, matchedStop, endToken, this.#counts());
  }

  #tokensUntilFault(): number {
    const { fault } = this.#deps;
    if (fault === null || !('afterTokens' in fault)) return Infinity;
    return fault.afterTokens - this.#told();
  }

  /** Carries out the fault that is due; true when the attempt is over. A stalled one waits for its client to leave. */
  #fails(text: string): boolean {
    const { fault, model } = this.#deps;
    if (this.#isStalled) return false;
    for (const choice of this.#choices) model.abortRun(choice.run);
    switch (fault?.kind) {
      case 'stall':
        // What was made up to now is still written by the step itself.
        this.#isStalled = true;
        return false;
      case 'truncate':
        this.#endWith(this.#request.streamed ? text : this.#wholeText().slice(0, -20), 'failed');
        return true;
      case 'midError':
        this.#failWithError(text);
        return true;
      default: {
        const after = fault?.kind === 'crash' ? this.#deps.crash : () => this.#response.socket?.resetAndDestroy();
        this.#end('failed');
        // The bytes of the tokens so far must leave before the connection breaks.
        if (!this.#request.streamed || text === '') {
          after();
          return true;
        }
        this.#sendHead();
        this.#response.write(text, after);
        return true;
      }
    }
  }

  #failWithError(text: string): void {
    const error = engineError(500, 'The scheduler met an error.');
    if (this.#request.streamed) {
      this.#endWith(`${text}data: ${JSON.stringify({ error })}\n\ndata: [DONE]\n\n`, 'failed');
      return;
    }
    this.#end('failed');
    sendJson(this.#response, 500, error);
  }

  #finish(text: string, outcome: 'finished' | 'aborted'): void {
    this.#endWith(this.#request.streamed ? text + this.#format.closing(this.#counts()) : this.#wholeText(), outcome);
  }

  #endWith(body: string, outcome: AttemptRecord['outcome']): void {
    this.#end(outcome);
    if (this.#response.destroyed) return;
    this.#sendHead();
    this.#response.end(body);
  }

  #wholeText(): string {
    const choices = this.#choices.map((choice) => ({
      answer: choice.answer,
      made: choice.told,
      reason: choice.told === choice.answer.tokens.length ? choice.answer.finishReason : ('abort' as const),
      prompt: choice.prompt,
    }));
    return this.#format.whole(choices, this.#counts());
  }

  #write(text: string): void {
    if (text === '' || this.#response.destroyed) return;
    this.#sendHead();
    this.#response.write(text);
    if (this.#response.writableLength > this.#deps.unsentBytesMax) this.#response.destroy();
  }

  #sendHead(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, this.#request.streamed ? SSE_HEADERS : { 'content-type': 'application/json' });
  }

  #end(outcome: AttemptRecord['outcome']): void {
    this.#isOver = true;
    for (const choice of this.#choices) this.#deps.model.abortRun(choice.run);
    let prefilled = 0;
    for (const run of this.#promptRuns()) prefilled += run.prefilledTokens;
    this.#deps.record({ rid: this.rid, ...this.#counts(), prefilled, outcome });
  }

  /** The prompt counts once however many answers it gets, with the cache hits of its first. */
  #promptRuns(): EngineRun[] {
    return this.#choices.filter((_, i) => i % this.#request.choices === 0).map((choice) => choice.run);
  }

  #told(): number {
    let told = 0;
    for (const choice of this.#choices) told += choice.told;
    return told;
  }

  #counts(): AttemptCounts {
    let prompt = 0;
    let cached = 0;
    let completion = 0;
    let reasoning = 0;
    for (const [i, choice] of this.#choices.entries()) {
      completion += choice.told;
      reasoning += Math.min(choice.told, choice.answer.reasoningTokens);
      if (i % this.#request.choices !== 0) continue;
      prompt += choice.run.job.promptTokens;
      // Before a run is taken up its cache hits are only expected.
      cached += Math.min(choice.run.cachedTokens, choice.run.prefilledTokens);
    }
    return { prompt, cached, completion, reasoning };
  }
}
