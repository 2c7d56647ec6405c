import type { Dispatcher } from 'undici';
import { AttemptError, settlementTrailers, type AttemptHandler, type AttemptTerms, type Settlement } from './attempt.ts';
import { takeTokenIds } from './choice-tokens.ts';
import { isPreamble, readEngineEvent, type EngineEvent } from './engine-event.ts';
import { editMembers } from './json-members.ts';
import { eventData, isDone, SseSplitter } from './sse.ts';
import { TokenTally } from './token-tally.ts';
import { readUsage, usageJson, type Usage } from './usage.ts';

type Controller = Dispatcher.DispatchController;
type Called = 'onResponseStart' | 'onResponseData' | 'onResponseEnd' | 'onResponseError';

/** Whoever passes the answer on. */
export type AnswerHandler = Pick<AttemptHandler, 'onRequestStart' | 'onTokens'> &
  Required<Pick<Dispatcher.DispatchHandler, Called>>;

export interface EngineAnswerLimits {
  /** Longest server-sent event an engine may send. */
  readonly eventBytesMax: number;
  /** Longest answer that is not streamed. */
  readonly answerBytesMax: number;
}

type AnswerTerms = Pick<AttemptTerms, 'streamed' | 'usageAsked' | 'continuable'>;

const EVENT_START = Buffer.from('data: ');
const EVENT_END = Buffer.from('\n\n');

/**
 * Stands between an engine's raw answer and whoever passes it on. It counts tokens by the engine's running reports,
 * takes the reports, the closing usage and `[DONE]` out of the stream, and hands them on as a `Settlement` in the
 * trailers. What comes out is what a client may see. An answer that breaks off, stays empty or reports an error ends
 * in `onResponseError` with an `AttemptError` that carries the settlement so far.
 *
 * The head and what opens the answer are held back until there is content, so that an empty 200 can still be tried
 * elsewhere.
 */
export class EngineAnswer implements Dispatcher.DispatchHandler {
  readonly #inner: AnswerHandler;
  readonly #terms: AnswerTerms;
  readonly #limits: EngineAnswerLimits;
  readonly #splitter: SseSplitter;
  #head: { readonly status: number; readonly headers: Record<string, string | string[] | undefined> } | null = null;
  #isStream = false;
  #isHeadSent = false;
  #held: Buffer[] = [];
  #heldBytes = 0;
  readonly #tokens = new TokenTally();
  #usage: Usage | null = null;
  #counted: Usage | null = null;
  #frames = 0;
  /** Some choice has its `finish_reason`; with several, `[DONE]` tells that all have. */
  #isFinished = false;
  #isDone = false;
  #isOver = false;

  constructor(inner: AnswerHandler, terms: AnswerTerms, limits: EngineAnswerLimits) {
    this.#inner = inner;
    this.#terms = terms;
    this.#limits = limits;
    this.#splitter = new SseSplitter(limits.eventBytesMax);
  }

  /** Whether it has more in it than its opening. */
  get hasBegun(): boolean {
    return this.#frames > 0;
  }

  /** What the attempt has come to so far. */
  get settlement(): Settlement {
    return { usage: this.#usage, counted: this.#counted, frames: this.#frames };
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#inner.onRequestStart?.(controller, context);
  }

  onResponseStart(_controller: Controller, status: number, headers: Record<string, string | string[] | undefined>): void {
    this.#head = { status, headers };
    const type = headers['content-type'];
    this.#isStream = this.#terms.streamed && status === 200 && typeof type === 'string' && type.startsWith('text/event-stream');
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#isStream) this.#onStreamBytes(controller, chunk);
    else this.#onWholeBytes(controller, chunk);
  }

  onResponseEnd(controller: Controller): void {
    if (this.#isOver) return;
    if (this.#head === null) return this.#fail(controller, 'broken', 'the engine ended without an answer');
    if (!this.#isStream) return this.#endWhole(controller, this.#head.status);
    if (this.#frames === 0) return this.#fail(controller, 'empty', 'the engine answered without a token');
    if (!this.#isFinished || !this.#isDone) {
      return this.#fail(controller, 'broken', 'the engine ended its stream before the answer was whole');
    }
    this.#isOver = true;
    this.#inner.onResponseEnd(controller, settlementTrailers(this.settlement));
  }

  onResponseError(controller: Controller, error: Error): void {
    if (this.#isOver) return;
    if (error instanceof AttemptError) return this.#fail(controller, error.kind, error.message, error.cause);
    this.#fail(controller, this.#head === null ? 'unreachable' : 'broken', error.message, error);
  }

  #onStreamBytes(controller: Controller, chunk: Buffer): void {
    const shown: Buffer[] = [];
    try {
      this.#splitter.push(chunk, (event) => this.#onEvent(event, shown));
    } catch (error) {
      this.#flush(controller, shown);
      const { kind, message } = asFailure(error);
      this.#fail(controller, kind, message);
      return controller.abort(new Error(message));
    }
    this.#flush(controller, shown);
  }

  #onEvent(event: Buffer, shown: Buffer[]): void {
    const data = eventData(event);
    if (data === null) return;
    if (isDone(data)) {
      this.#isDone = true;
      return;
    }
    const read = readEngineEvent(data, this.#terms.usageAsked);
    if (read === null) throw new SyntaxError('not an object');
    if (read.kind === 'error') throw new AttemptError('engine', engineErrorText(JSON.parse(read.json.toString())), null);
    if (read.usage !== null) this.#counted = read.usage;
    if (read.kind === 'usage') {
      this.#usage = read.usage;
      if (!this.#terms.usageAsked) return;
    } else {
      this.#isFinished ||= read.finished;
      if (this.#frames > 0 || read.finished || !isPreamble(read.json)) this.#frames += 1;
    }
    const json = this.#terms.continuable ? this.#withoutTokenIds(read) : read.json;
    if (this.#frames > 0) shown.push(asEvent(event, data, json));
    else this.#holdBack(asEvent(event, data, json));
  }

  #withoutTokenIds({ json, usage, finished }: EngineEvent): Buffer {
    const tokens = takeTokenIds(json);
    this.#tokens.add(tokens, usage, finished);
    return tokens.json;
  }

  #holdBack(opening: Buffer): void {
    this.#held.push(opening);
    this.#heldBytes += opening.length;
    if (this.#heldBytes <= this.#limits.eventBytesMax) return;
    throw new AttemptError('empty', `the engine sent ${this.#heldBytes} bytes without a token`, null);
  }

  #flush(controller: Controller, shown: Buffer[]): void {
    if (shown.length === 0) return;
    const parts = this.#held.length === 0 ? shown : [...this.#held.splice(0), ...shown];
    this.#sendHead(controller);
    const news = this.#tokens.take();
    if (news !== null) this.#inner.onTokens?.(news);
    this.#inner.onResponseData(controller, parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts));
  }

  #sendHead(controller: Controller): void {
    if (this.#isHeadSent || this.#head === null) return;
    this.#isHeadSent = true;
    this.#inner.onResponseStart(controller, this.#head.status, this.#head.headers);
  }

  #onWholeBytes(controller: Controller, chunk: Buffer): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes <= this.#limits.answerBytesMax) return;
    this.#held = [];
    this.#fail(controller, 'engine', `the engine's answer is longer than ${this.#limits.answerBytesMax} bytes`);
    controller.abort(new Error('answer too long'));
  }

  /** An answer in one piece: its usage is read and put into the clients' shape. Error answers pass as they are. */
  #endWhole(controller: Controller, status: number): void {
    let body: Buffer = Buffer.concat(this.#held);
    if (status < 400 && this.#terms.streamed) {
      return this.#fail(controller, 'engine', 'the engine did not stream what it was asked to stream');
    }
    if (status < 400) {
      let answer: unknown;
      try {
        answer = JSON.parse(body.toString());
      } catch {
        return this.#fail(controller, 'broken', 'the engine answered with something that is not JSON');
      }
      if (isError(answer)) return this.#fail(controller, 'engine', engineErrorText(answer));
      if (isEmptyAnswer(answer)) return this.#fail(controller, 'empty', 'the engine answered without a choice');
      this.#usage = readUsage(Reflect.get(Object(answer), 'usage'));
      this.#counted = this.#usage;
      this.#frames = 1;
      if (this.#usage !== null) body = editMembers(body, { usage: usageJson(this.#usage) }) ?? body;
    }
    this.#isOver = true;
    this.#sendHead(controller);
    this.#inner.onResponseData(controller, body);
    this.#inner.onResponseEnd(controller, settlementTrailers(this.settlement));
  }

  #fail(controller: Controller, kind: AttemptError['kind'], message: string, cause?: unknown): void {
    this.#isOver = true;
    this.#inner.onResponseError(controller, new AttemptError(kind, message, this.settlement, { cause }));
  }
}

/** The event as it goes on: its own bytes when its JSON is unchanged. */
function asEvent(event: Buffer, data: Buffer, json: Buffer): Buffer {
  return json === data ? event : Buffer.concat([EVENT_START, json, EVENT_END]);
}

function isEmptyAnswer(answer: unknown): boolean {
  const choices: unknown = Reflect.get(Object(answer), 'choices');
  return Array.isArray(choices) && choices.length === 0;
}

/** An error that came with a status of success. */
function isError(answer: unknown): boolean {
  return Reflect.get(Object(answer), 'choices') === undefined && Reflect.get(Object(answer), 'error') != null;
}

function engineErrorText(answer: unknown): string {
  const error: unknown = Reflect.get(Object(answer), 'error');
  const message: unknown = Reflect.get(Object(error), 'message');
  return typeof message === 'string' ? message : 'the engine reported an error';
}

/** Why reading an event failed. What a JSON parser says quotes the answer, so it goes no further. */
function asFailure(error: unknown): Pick<AttemptError, 'kind' | 'message'> {
  if (error instanceof AttemptError) return error;
  return { kind: 'broken', message: error instanceof RangeError ? error.message : 'the engine sent an event that is not JSON' };
}
