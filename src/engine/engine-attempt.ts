import type { Dispatcher } from 'undici';
import type { Cancel, Clock } from '../core/index.ts';
import { AttemptError, EngineAnswer, NO_USAGE, type AttemptTerms, type EngineAnswerLimits, type Settlement, type TokenNews } from '../openai/index.ts';

type Controller = Dispatcher.DispatchController;
type Headers = Record<string, string | string[] | undefined>;

export interface EngineAttemptDeps {
  readonly clock: Clock;
  readonly limits: EngineAnswerLimits;
  /** How long the engine's last counts are waited for after an abort. */
  readonly abortWaitMs: number;
  /** An abort that came before the engine had read the request is not obeyed, so it is said again this often. */
  readonly abortRepeatMs: number;
  /** Tells the engine to stop an attempt; null when only closing the connection stops it. */
  readonly abort: ((attemptId: string) => void) | null;
}

/** How an attempt in the engine ended, with what it had come to. */
export type EngineAttemptEnd =
  | { readonly kind: 'whole'; readonly settlement: Settlement }
  | { readonly kind: 'failed'; readonly error: AttemptError; readonly settlement: Settlement }
  /** It was stopped by us. */
  | { readonly kind: 'stopped'; readonly settlement: Settlement };

export interface EngineAttemptListener {
  /** Bytes came from the engine, whether they are passed on or not. */
  onBytes(): void;
  onHead(status: number, headers: Headers): void;
  /** `news`: what the engine told of the tokens in `bytes`. */
  onData(bytes: Buffer, news: TokenNews | null): void;
  /** Called exactly once. */
  onOver(end: EngineAttemptEnd): void;
}

type State = 'running' | 'stopping' | 'over';

/** What never reached the engine has cost it nothing, and that is known exactly. */
const NOT_BEGUN: Settlement = { usage: null, counted: NO_USAGE, frames: 0 };

/**
 * One attempt in an engine: the handler of its raw dispatch. A stopped attempt is aborted in the engine, again until it
 * obeys, and read to its end for a bounded time and in silence, so that the tokens made before it obeyed are counted.
 */
export class EngineAttempt implements Dispatcher.DispatchHandler {
  readonly #id: string;
  readonly #deps: EngineAttemptDeps;
  readonly #listener: EngineAttemptListener;
  readonly #answer: EngineAnswer;
  #state: State = 'running';
  #controller: Controller | null = null;
  #news: TokenNews | null = null;
  #cancelWait: Cancel = () => {};
  #cancelRepeat: Cancel = () => {};

  constructor(terms: AttemptTerms, deps: EngineAttemptDeps, listener: EngineAttemptListener) {
    this.#id = terms.id;
    this.#deps = deps;
    this.#listener = listener;
    this.#answer = new EngineAnswer(
      {
        onResponseStart: (_controller, status, headers) => {
          if (this.#state === 'running') listener.onHead(status, headers);
        },
        onTokens: (news) => (this.#news = news),
        onResponseData: (_controller, bytes) => {
          const news = this.#news;
          this.#news = null;
          if (this.#state === 'running') listener.onData(bytes, news);
        },
        onResponseEnd: () => this.#end(null),
        onResponseError: (_controller, error) => this.#end(error),
      },
      terms,
      deps.limits,
    );
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Whether the answer has more in it than its opening. */
  get hasBegun(): boolean {
    return this.#answer.hasBegun;
  }

  get isPaused(): boolean {
    return this.#controller?.paused ?? false;
  }

  pause(): void {
    if (this.#state === 'running') this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  /** Stops the attempt in the engine; its count follows. */
  stop(): void {
    if (this.#state !== 'running') return;
    this.#state = 'stopping';
    const { abort, clock, abortWaitMs, abortRepeatMs } = this.#deps;
    if (this.#controller === null || abort === null) return this.#break();
    abort(this.#id);
    this.#cancelRepeat = clock.every(abortRepeatMs, () => abort(this.#id));
    this.#cancelWait = clock.after(abortWaitMs, () => this.#break());
    this.resume();
  }

  /** Stops the attempt without waiting for its last count. */
  giveUp(): void {
    if (this.#state === 'over') return;
    this.#state = 'stopping';
    if (this.#controller !== null) this.#deps.abort?.(this.#id);
    this.#break();
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#state === 'over') controller.abort(stopped());
  }

  onResponseStart(controller: Controller, status: number, headers: Headers): void {
    this.#answer.onResponseStart(controller, status, headers);
  }

  onResponseData(controller: Controller, bytes: Buffer): void {
    this.#listener.onBytes();
    this.#answer.onResponseData(controller, bytes);
  }

  onResponseEnd(controller: Controller): void {
    this.#answer.onResponseEnd(controller);
  }

  onResponseError(controller: Controller, error: Error): void {
    this.#answer.onResponseError(controller, error);
  }

  /** Closes the connection; undici then reports the error. What was not sent yet has no connection to close. */
  #break(): void {
    if (this.#controller === null) this.#end(null);
    else this.#controller.abort(stopped());
  }

  #end(error: Error | null): void {
    const state = this.#state;
    if (state === 'over') return;
    this.#state = 'over';
    this.#cancelWait();
    this.#cancelRepeat();
    const settlement = this.#controller === null ? NOT_BEGUN : this.#answer.settlement;
    if (state === 'stopping') return this.#listener.onOver({ kind: 'stopped', settlement });
    if (error === null) return this.#listener.onOver({ kind: 'whole', settlement });
    // The engine may still be at work on an answer that broke, so it is told to stop.
    if (this.#controller !== null) this.#deps.abort?.(this.#id);
    const { kind, message, cause } = error instanceof AttemptError ? error : new AttemptError('broken', error.message, null);
    this.#listener.onOver({ kind: 'failed', error: new AttemptError(kind, message, settlement, { cause }), settlement });
  }
}

function stopped(): AttemptError {
  return new AttemptError('cancelled', 'the attempt was stopped', null);
}
