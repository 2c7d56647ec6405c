import type { ServerResponse } from 'node:http';
import { seededRng } from '../core/index.ts';
import type { AttemptDeps } from './engine-attempt.ts';
import type { Passenger } from './engine-driver.ts';
import type { EngineRun } from './engine-run.ts';
import { textPrompts } from './generation-request.ts';
import { engineError, sendJson, SimHttpError, type JsonObject } from './http-json.ts';
import { TokenChain } from './page-keys.ts';

const DIMENSIONS = 256;
const DIMENSIONS_MAX = 4_096;

/** One embeddings request: all its inputs are prefilled as one run, then answered at once. */
export class EmbeddingAttempt implements Passenger {
  readonly rid: string;
  readonly #body: object;
  readonly #response: ServerResponse;
  readonly #deps: AttemptDeps;
  readonly #run: EngineRun;
  #isOver = false;

  /** Throws `SimHttpError` when the request is malformed or does not fit. */
  constructor(rid: string, request: JsonObject, defaultModel: string, response: ServerResponse, deps: AttemptDeps) {
    this.rid = rid;
    this.#response = response;
    this.#deps = deps;
    const inputs = textPrompts(request['input'], 'input', deps.model.config.contextTokens);
    const promptTokens = inputs.reduce((sum, input) => sum + input.length, 0);
    this.#body = embeddingBody(request, inputs, defaultModel, promptTokens);
    const submission = deps.model.submit({ rid, promptTokens, pageKeys: [], outputTokens: 0 }, deps.nowMs);
    if (submission.kind === 'queue_full') throw new SimHttpError(503, 'The request queue is full.');
    if (submission.kind === 'too_long') {
      throw new SimHttpError(400, `The input is longer than the model's context length (${submission.limitTokens} tokens).`);
    }
    this.#run = submission.run;
  }

  onStep(): boolean {
    const { fault } = this.#deps;
    if (this.#isOver) return true;
    if (this.#run.state.kind !== 'ended' || fault?.kind === 'stall') return false;
    switch (fault?.kind) {
      case 'midError':
        this.#end('failed');
        sendJson(this.#response, 500, engineError(500, 'The scheduler met an error.'));
        break;
      case 'reset':
      case 'truncate':
        this.#end('failed');
        this.#response.socket?.resetAndDestroy();
        break;
      case 'crash':
        this.#end('failed');
        this.#deps.crash();
        break;
      default:
        this.#end('finished');
        sendJson(this.#response, 200, this.#body);
    }
    return true;
  }

  abort(): void {
    if (this.#isOver) return;
    this.#end('aborted');
    sendJson(this.#response, 503, engineError(503, 'The request was aborted.'));
  }

  drop(outcome: 'aborted' | 'failed' = 'aborted'): void {
    if (!this.#isOver) this.#end(outcome);
  }

  #end(outcome: 'finished' | 'aborted' | 'failed'): void {
    this.#isOver = true;
    this.#deps.model.abortRun(this.#run);
    const prefilled = this.#run.prefilledTokens;
    this.#deps.record({ rid: this.rid, prompt: this.#run.job.promptTokens, cached: 0, prefilled, completion: 0, reasoning: 0, outcome });
  }
}

function embeddingBody(request: JsonObject, inputs: readonly number[][], defaultModel: string, promptTokens: number): object {
  const dimensions = request['dimensions'] ?? DIMENSIONS;
  if (!(typeof dimensions === 'number' && Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= DIMENSIONS_MAX)) {
    throw new SimHttpError(400, `dimensions must be a whole number from 1 to ${DIMENSIONS_MAX}.`, 'dimensions');
  }
  const isBase64 = request['encoding_format'] === 'base64';
  return {
    object: 'list',
    data: inputs.map((input, index) => {
      const vector = embedding(input, dimensions);
      return { object: 'embedding', index, embedding: isBase64 ? Buffer.from(vector.buffer).toString('base64') : [...vector] };
    }),
    model: typeof request['model'] === 'string' ? request['model'] : defaultModel,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  };
}

/** A unit vector that only its tokens decide. */
function embedding(tokens: readonly number[], dimensions: number): Float32Array {
  const chain = new TokenChain();
  for (const token of tokens) chain.push(token);
  const rng = seededRng(chain.key % 0x1_0000_0000);
  const vector = Float32Array.from({ length: dimensions }, () => rng.next() * 2 - 1);
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}
