import type { Dispatcher } from 'undici';
import type { Cancel, Clock } from '../../core/index.ts';
import { AttemptError, EngineAnswer, NO_USAGE, type AttemptTerms, type EngineAnswerLimits, type Settlement } from '../../openai/index.ts';

type Controller = Dispatcher.DispatchController;
type Headers = Record<string, string | string[] | undefined>;

export interface AgentlessAttemptDeps {
  readonly clock: Clock;
  readonly limits: EngineAnswerLimits;
  /** How long the engine's last counts are waited for after an abort. */
  readonly abortWaitMs: number;
  /** An abort that came before the engine had read the request is not obeyed, so it is said again this often. */
  readonly abortRepeatMs: number;
  /** Tells the engine to stop an attempt; null when only closing the connection stops it. */
  readonly abort: ((attemptId: string) => void) | null;
}

type State =
  | { readonly kind: 'running' }
  /** The engine was told to stop, and is read in silence until it has. */
  | { readonly kind: 'stopping'; readonly reason: Error }
  | { readonly kind: 'over' };

/**
 * One attempt on an agentless replica: the handler of its raw dispatch, and the controller that the gateway's own handler
 * gets. It does what a node daemon does for an attempt that was cancelled: the engine is told, and its answer read to the
 * end for a bounded time, so that the tokens it made before it obeyed are counted.
 */
export class AgentlessAttempt implements Dispatcher.DispatchHandler, Dispatcher.DispatchController {
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #terms: AttemptTerms;
  readonly #deps: AgentlessAttemptDeps;
  readonly #answer: EngineAnswer;
  #state: State = { kind: 'running' };
  #controller: Controller | null = null;
  #isSent = false;
  #reason: Error | null = null;
  #cancelWait: Cancel = () => {};
  #cancelRepeat: Cancel = () => {};

  constructor(handler: Dispatcher.DispatchHandler, terms: AttemptTerms, deps: AgentlessAttemptDeps) {
    this.#handler = handler;
    this.#terms = terms;
    this.#deps = deps;
    this.#answer = new EngineAnswer(
      {
        onResponseStart: (_controller, status, headers) => {
          if (this.#state.kind === 'running') handler.onResponseStart?.(this, status, headers);
        },
        onResponseData: (_controller, bytes) => {
          if (this.#state.kind === 'running') handler.onResponseData?.(this, bytes);
        },
        onResponseEnd: (_controller, trailers) => this.#end(() => handler.onResponseEnd?.(this, trailers)),
        onResponseError: (_controller, error) => this.#end(() => this.#fail(error)),
      },
      terms,
      deps.limits,
    );
  }

  get paused(): boolean {
    return this.#controller?.paused ?? false;
  }

  get aborted(): boolean {
    return this.#reason !== null;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  pause(): void {
    if (this.#state.kind === 'running') this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  /** Gives the attempt up. A client that left waits for nothing, so the engine's last counts can be; what has timed out is not waited for. */
  abort(reason: Error): void {
    if (this.#state.kind !== 'running' || this.#reason !== null) return;
    this.#reason = reason;
    const { abort, clock, abortWaitMs, abortRepeatMs } = this.#deps;
    const isAwaited = reason instanceof AttemptError && reason.kind === 'cancelled';
    if (!this.#isSent || abort === null || !isAwaited) return this.#controller?.abort(reason);
    this.#state = { kind: 'stopping', reason };
    abort(this.#terms.id);
    this.#cancelRepeat = clock.every(abortRepeatMs, () => abort(this.#terms.id));
    this.#cancelWait = clock.after(abortWaitMs, () => this.#controller?.abort(reason));
    this.resume();
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    this.#handler.onRequestStart?.(this, {});
    // The handler may have given it up at once: then nothing is sent.
    this.#isSent = !controller.aborted;
  }

  onResponseStart(controller: Controller, status: number, headers: Headers): void {
    this.#answer.onResponseStart(controller, status, headers);
  }

  onResponseData(controller: Controller, bytes: Buffer): void {
    this.#answer.onResponseData(controller, bytes);
  }

  onResponseEnd(controller: Controller): void {
    this.#answer.onResponseEnd(controller);
  }

  onResponseError(controller: Controller, error: Error): void {
    this.#answer.onResponseError(controller, error);
  }

  /** Ends the attempt once; `tell` does so for one that was not being stopped. */
  #end(tell: () => void): void {
    const state = this.#state;
    if (state.kind === 'over') return;
    this.#state = { kind: 'over' };
    this.#cancelWait();
    this.#cancelRepeat();
    if (state.kind === 'running') return tell();
    const { reason } = state;
    this.#handler.onResponseError?.(this, new AttemptError('cancelled', reason.message, this.#answer.settlement, { cause: reason }));
  }

  /** The engine may still be at work on an answer that broke, so it is told to stop. */
  #fail(error: Error): void {
    if (this.#isSent) this.#deps.abort?.(this.#terms.id);
    const { kind, message, cause } = error instanceof AttemptError ? error : new AttemptError('broken', error.message, null);
    this.#handler.onResponseError?.(this, new AttemptError(kind, message, this.#isSent ? this.#answer.settlement : NOT_BEGUN, { cause }));
  }
}

/** What never reached the engine has cost it nothing, and that is known exactly. */
const NOT_BEGUN: Settlement = { usage: null, counted: NO_USAGE, frames: 0 };
