import type { Cancel } from '../core/index.ts';
import { EngineAttempt, type EngineAttemptDeps, type EngineAttemptEnd } from '../engine/index.ts';
import type { NodeStream, OpenHead, SettledMessage } from '../link/index.ts';
import type { AttemptFailure, Settlement } from '../openai/index.ts';
import type { MirroredAttempt } from '../prefix/index.ts';
import type { NodeMetrics } from './node-metrics.ts';

export interface RunningAttemptDeps extends EngineAttemptDeps {
  readonly metrics: Pick<NodeMetrics, 'sawFirstToken' | 'sawTokens'>;
  /** Something came from the engine. */
  onProgress(): void;
  /** No connection to the engine could be had, or it broke before an answer. */
  onUnreachable(cause: unknown): void;
}

/** How an attempt ended; called exactly once. `isToldByStream`: its count left in the last frame of its stream. */
export type OnAttemptEnd = (settled: SettledMessage, isToldByStream: boolean) => void;

/** Why an attempt is stopped: the gateway cancelled it, its link broke, its time is up, or the node closes. */
export type StopReason = 'cancelled' | 'lost' | 'timeout' | 'closing';

const PASSED_HEADERS = ['content-type', 'retry-after'];

/** One attempt of a gateway in the engine: passes its answer to the stream it came on, and its count to whoever waits. */
export class RunningAttempt {
  /** The handler of the raw dispatch. */
  readonly raw: EngineAttempt;
  readonly #stream: NodeStream;
  readonly #mirrored: MirroredAttempt | null;
  readonly #id: string;
  readonly #deps: RunningAttemptDeps;
  readonly #onEnd: OnAttemptEnd;
  readonly #cancelDeadline: Cancel;
  readonly #startedMs: number;
  #firstTokenMs: number | null = null;
  #stopReason: StopReason = 'cancelled';

  constructor(stream: NodeStream, { attempt }: OpenHead, mirrored: MirroredAttempt | null, deps: RunningAttemptDeps, onEnd: OnAttemptEnd) {
    this.#stream = stream;
    this.#mirrored = mirrored;
    this.#id = attempt.id;
    this.#deps = deps;
    this.#onEnd = onEnd;
    this.#startedMs = deps.clock.now();
    this.raw = new EngineAttempt(attempt, deps, {
      onBytes: () => deps.onProgress(),
      onHead: (status, headers) => stream.head(status, passedHeaders(headers)),
      onData: (bytes, news) => {
        this.#seen(attempt.streamed);
        stream.data(bytes, news);
        mirrored?.answered(bytes);
      },
      onOver: (end) => this.#end(end),
    });
    this.#cancelDeadline = deps.clock.after(attempt.deadlineMs, () => this.stop('timeout'));
  }

  get isOver(): boolean {
    return this.raw.isOver;
  }

  /** Stops the attempt in the engine; its count follows. The last reason given is the one that is told. */
  stop(reason: StopReason): void {
    if (this.raw.isOver) return;
    this.#stopReason = reason;
    this.raw.stop();
  }

  /** Of answers in one piece the first token is not seen. */
  #seen(isStreamed: boolean): void {
    if (!isStreamed || this.#firstTokenMs !== null || !this.raw.hasBegun) return;
    this.#firstTokenMs = this.#deps.clock.now();
    this.#deps.metrics.sawFirstToken(this.#firstTokenMs - this.#startedMs);
  }

  #end(end: EngineAttemptEnd): void {
    this.#cancelDeadline();
    const tokens = end.settlement.usage?.completionTokens;
    if (end.kind === 'whole' && this.#firstTokenMs !== null && tokens !== undefined) this.#deps.metrics.sawTokens(tokens - 1, this.#deps.clock.now() - this.#firstTokenMs);
    this.#mirrored?.ended(end.settlement.usage);
    switch (end.kind) {
      case 'whole':
        this.#stream.end(end.settlement);
        return this.#settle('completed', end.settlement, true);
      case 'failed':
        this.#stream.fail(end.error.kind, end.error.message, end.settlement);
        if (end.error.kind === 'unreachable') this.#deps.onUnreachable(end.error.cause);
        return this.#settle('failed', end.settlement, true);
      case 'stopped': {
        const failure = this.#stream.isOver ? undefined : TOLD_FAILURES[this.#stopReason];
        if (failure !== undefined) this.#stream.fail(failure.kind, failure.message, end.settlement);
        return this.#settle('aborted', end.settlement, failure !== undefined);
      }
    }
  }

  #settle(outcome: SettledMessage['outcome'], settlement: Settlement, isToldByStream: boolean): void {
    this.#onEnd({ type: 'settled', attempt: this.#id, outcome, settlement }, isToldByStream);
  }
}

/** How a stream ends that the node itself stopped. */
const TOLD_FAILURES: Partial<Record<StopReason, { readonly kind: AttemptFailure; readonly message: string }>> = {
  timeout: { kind: 'timeout', message: 'the answer was not whole by its deadline' },
  closing: { kind: 'broken', message: 'the node is closing' },
};

function passedHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of PASSED_HEADERS) {
    const value = headers[name];
    if (typeof value === 'string') passed[name] = value;
  }
  return passed;
}
