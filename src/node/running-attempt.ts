import type { Dispatcher } from 'undici';
import type { Cancel, Clock } from '../core/index.ts';
import type { NodeStream, OpenHead, SettledMessage } from '../link/index.ts';
import {
  AttemptError,
  EngineAnswer,
  NO_USAGE,
  type AttemptFailure,
  type EngineAnswerLimits,
  type Settlement,
} from '../openai/index.ts';

type Controller = Dispatcher.DispatchController;
type Headers = Record<string, string | string[] | undefined>;

export interface RunningAttemptDeps {
  readonly clock: Clock;
  readonly limits: EngineAnswerLimits;
  readonly abortWaitMs: number;
  readonly abortRepeatMs: number;
  /** Tells the engine to stop an attempt; null when only closing the connection stops it. */
  readonly abort: ((attemptId: string) => void) | null;
  /** Bytes of an answer came from the engine. */
  onProgress(): void;
  /** No connection to the engine could be had, or it broke before an answer. */
  onUnreachable(cause: unknown): void;
}

/** How an attempt ended; called exactly once. `isToldByStream`: its count left in the last frame of its stream. */
export type OnAttemptEnd = (settled: SettledMessage, isToldByStream: boolean) => void;

/** Why an attempt is stopped: the gateway cancelled it, its link broke, its time is up, or the node closes. */
export type StopReason = 'cancelled' | 'lost' | 'timeout' | 'closing';

type State = { readonly kind: 'running' } | { readonly kind: 'stopping'; readonly reason: StopReason } | { readonly kind: 'over' };

const PASSED_HEADERS = ['content-type', 'retry-after'];

/**
 * One attempt in the engine: the handler of its dispatch, and the writer of its stream. A stopped attempt is aborted in
 * the engine and read to its end, for a bounded time and in silence, so that tokens made before the engine obeyed are
 * counted.
 */
export class RunningAttempt implements Dispatcher.DispatchHandler {
  readonly #stream: NodeStream;
  readonly #head: OpenHead;
  readonly #deps: RunningAttemptDeps;
  readonly #onEnd: OnAttemptEnd;
  readonly #answer: EngineAnswer;
  readonly #cancelDeadline: Cancel;
  #state: State = { kind: 'running' };
  #controller: Controller | null = null;
  #cancelWait: Cancel = () => {};
  #cancelRepeat: Cancel = () => {};

  constructor(stream: NodeStream, head: OpenHead, deps: RunningAttemptDeps, onEnd: OnAttemptEnd) {
    this.#stream = stream;
    this.#head = head;
    this.#deps = deps;
    this.#onEnd = onEnd;
    this.#answer = new EngineAnswer(
      {
        onResponseStart: (_controller, status, headers) => {
          if (this.#state.kind === 'running') stream.head(status, passedHeaders(headers));
        },
        onResponseData: (_controller, bytes) => {
          if (this.#state.kind === 'running') stream.data(bytes);
        },
        onResponseEnd: () => this.#end(null),
        onResponseError: (_controller, error) => this.#end(error),
      },
      head.attempt,
      deps.limits,
    );
    this.#cancelDeadline = deps.clock.after(head.attempt.deadlineMs, () => this.stop('timeout'));
  }

  get isOver(): boolean {
    return this.#state.kind === 'over';
  }

  /** Stops the attempt in the engine; its count follows. */
  stop(reason: StopReason): void {
    if (this.#state.kind === 'over') return;
    const isFirst = this.#state.kind === 'running';
    this.#state = { kind: 'stopping', reason };
    if (!isFirst) return;
    // Nothing was sent to the engine yet, so it made nothing.
    if (this.#controller === null) return this.#end(new AttemptError('cancelled', 'stopped before it began', null));
    const { abort, clock, abortWaitMs, abortRepeatMs } = this.#deps;
    if (abort === null) return this.#break();
    abort(this.#head.attempt.id);
    this.#cancelRepeat = clock.every(abortRepeatMs, () => abort(this.#head.attempt.id));
    this.#cancelWait = clock.after(abortWaitMs, () => this.#break());
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#state.kind === 'over') this.#break();
  }

  onResponseStart(controller: Controller, status: number, headers: Headers): void {
    this.#answer.onResponseStart(controller, status, headers);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#deps.onProgress();
    this.#answer.onResponseData(controller, chunk);
  }

  onResponseEnd(controller: Controller): void {
    this.#answer.onResponseEnd(controller);
  }

  onResponseError(controller: Controller, error: Error): void {
    this.#answer.onResponseError(controller, error);
  }

  /** Gives up the connection; undici then reports the error. */
  #break(): void {
    this.#controller?.abort(new AttemptError('cancelled', 'the attempt was stopped', null));
  }

  #end(error: Error | null): void {
    const state = this.#state;
    if (state.kind === 'over') return;
    this.#state = { kind: 'over' };
    this.#cancelDeadline();
    this.#cancelWait();
    this.#cancelRepeat();
    // What never reached the engine has cost it nothing, and that is known exactly.
    const settlement = this.#controller === null ? NOT_BEGUN : this.#answer.settlement;
    const attempt = this.#head.attempt.id;
    if (state.kind === 'running') {
      if (error === null) this.#stream.end(settlement);
      else this.#fail(error, settlement);
      return this.#onEnd({ type: 'settled', attempt, outcome: error === null ? 'completed' : 'failed', settlement }, true);
    }
    const failure = this.#stream.isOver ? undefined : TOLD_FAILURES[state.reason];
    if (failure !== undefined) this.#stream.fail(failure.kind, failure.message, settlement);
    this.#onEnd({ type: 'settled', attempt, outcome: 'aborted', settlement }, failure !== undefined);
  }

  /** The engine may still be at work on an answer that broke, so it is told to stop. */
  #fail(error: Error, settlement: Settlement): void {
    const kind = error instanceof AttemptError ? error.kind : 'broken';
    this.#stream.fail(kind, error.message, settlement);
    if (this.#controller !== null) this.#deps.abort?.(this.#head.attempt.id);
    if (kind === 'unreachable') this.#deps.onUnreachable(error.cause);
  }
}

const NOT_BEGUN: Settlement = { usage: null, counted: NO_USAGE, frames: 0 };

/** How a stream ends that the node itself stopped. */
const TOLD_FAILURES: Partial<Record<StopReason, { readonly kind: AttemptFailure; readonly message: string }>> = {
  timeout: { kind: 'timeout', message: 'the answer was not whole by its deadline' },
  closing: { kind: 'broken', message: 'the node is closing' },
};

function passedHeaders(headers: Headers): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of PASSED_HEADERS) {
    const value = headers[name];
    if (typeof value === 'string') passed[name] = value;
  }
  return passed;
}
