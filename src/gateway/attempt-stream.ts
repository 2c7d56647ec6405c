import type { Dispatcher } from 'undici';
import { AttemptError, readSettlement, type AttemptHandler, type Settlement, type TokenNews, type Usage } from '../openai/index.ts';

type Controller = Dispatcher.DispatchController;
type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Where an answer's bytes go once somebody relays them. */
export interface AnswerSink {
  onData(bytes: Buffer): void;
  onEnd(settlement: Settlement | null): void;
  onError(error: AttemptError): void;
}

/** What an attempt showed first: bytes of an answer, or that there will be none. */
export type FirstSign =
  | { readonly kind: 'answering'; readonly status: number }
  | { readonly kind: 'failed'; readonly error: AttemptError };

const ERROR_BODY_BYTES_MAX = 64 * 1024;

/** The handler of one dispatch: waits for the first sign of an answer, then hands everything to a sink, in order. */
export class AttemptStream implements AttemptHandler {
  readonly firstSign: Promise<FirstSign>;
  #resolveFirst: (sign: FirstSign) => void = () => {};
  #controller: Controller | null = null;
  #abortReason: AttemptError | null = null;
  #status = 0;
  #sink: AnswerSink | null = null;
  #early: Buffer[] = [];
  #earlyEnd: (() => void) | null = null;
  #isOver = false;
  /** Stream messages seen; about one per token. */
  #frames = 0;
  #counted: Usage | null = null;
  readonly #ids: number[] = [];
  #promptIds = new Uint32Array(0);

  constructor() {
    this.firstSign = new Promise((resolve) => (this.#resolveFirst = resolve));
  }

  get frames(): number {
    return this.#frames;
  }

  /** The running count of what came; null when the other side keeps none. */
  get counted(): Usage | null {
    return this.#counted;
  }

  /** Ids of the prompt's tokens and of those that came; null when the engine tells none. */
  get ids(): { readonly prompt: readonly number[]; readonly delivered: readonly number[] } | null {
    return this.#promptIds.length === 0 ? null : { prompt: [...this.#promptIds], delivered: this.#ids };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** We ended it, not the other side. */
  get isGivenUp(): boolean {
    return this.#abortReason !== null;
  }

  /** From here on bytes go to `sink`; first those that came before. */
  relayTo(sink: AnswerSink): void {
    this.#sink = sink;
    for (const bytes of this.#early.splice(0)) sink.onData(bytes);
    this.#earlyEnd?.();
  }

  /** Gives the attempt up; it ends in an error of this kind, and the engine is told. */
  abort(reason: AttemptError): void {
    if (this.#isOver || this.#abortReason !== null) return;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#abortReason !== null) controller.abort(this.#abortReason);
  }

  onResponseStart(_controller: Controller, status: number, _headers: Headers): void {
    this.#status = status;
  }

  onTokens({ usage, ids, promptIds }: TokenNews): void {
    this.#counted = usage;
    this.#ids.push(...ids);
    if (promptIds.length > 0) this.#promptIds = Uint32Array.from(promptIds);
  }

  onResponseData(_controller: Controller, bytes: Buffer): void {
    // An error's text is no part of an answer.
    if (this.#status < 400) this.#frames += 1;
    if (this.#sink !== null) return this.#sink.onData(bytes);
    this.#early.push(bytes);
    if (this.#status < 400) this.#resolveFirst({ kind: 'answering', status: this.#status });
    else if (this.#earlyBytes() > ERROR_BODY_BYTES_MAX) this.#early.length = 1;
  }

  onResponseEnd(_controller: Controller, trailers: Headers): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#status >= 400) {
      return this.#resolveFirst({ kind: 'failed', error: new RefusedError(this.#status, Buffer.concat(this.#early)) });
    }
    const settlement = readSettlement(trailers);
    if (this.#sink !== null) return this.#sink.onEnd(settlement);
    this.#earlyEnd = () => this.#sink?.onEnd(settlement);
    this.#resolveFirst({ kind: 'answering', status: this.#status });
  }

  onResponseError(_controller: Controller, thrown: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const error = this.#asAttemptError(thrown);
    if (this.#sink !== null) return this.#sink.onError(error);
    this.#earlyEnd = () => this.#sink?.onError(error);
    this.#resolveFirst({ kind: 'failed', error });
  }

  /** What we gave up keeps our reason, with whatever the other side still told of its count. */
  #asAttemptError(thrown: Error): AttemptError {
    const told = thrown instanceof AttemptError ? thrown : new AttemptError('broken', thrown.message, null, { cause: thrown });
    const ours = this.#abortReason;
    return ours === null ? told : new AttemptError(ours.kind, ours.message, told.settlement, { cause: ours.cause });
  }

  #earlyBytes(): number {
    return this.#early.reduce((sum, bytes) => sum + bytes.length, 0);
  }
}

/** The engine answered with an error status instead of an answer. */
export class RefusedError extends AttemptError {
  readonly status: number;
  /** The engine's message, when it gave one. */
  readonly engineMessage: string | null;
  /** The parameter that the engine found at fault, when it named one. */
  readonly engineParam: string | null;

  constructor(status: number, body: Buffer) {
    const [engineMessage, engineParam] = readRefusal(body);
    super('engine', engineMessage ?? `the engine answered ${status}`, null);
    this.status = status;
    this.engineMessage = engineMessage;
    this.engineParam = engineParam;
  }
}

/** Message and parameter of SGLang's flat or OpenAI's nested error object. */
function readRefusal(body: Buffer): [message: string | null, param: string | null] {
  try {
    const answer: unknown = JSON.parse(body.toString());
    const nested: unknown = Reflect.get(Object(answer), 'error');
    const error: unknown = Object(typeof nested === 'object' ? nested : answer);
    return [textOf(error, 'message'), textOf(error, 'param')];
  } catch {
    return [null, null];
  }
}

function textOf(error: unknown, name: string): string | null {
  const value: unknown = Reflect.get(Object(error), name);
  return typeof value === 'string' ? value.slice(0, 2000) : null;
}
