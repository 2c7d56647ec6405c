import { asMeridianError, MeridianError, type Clock, type Logger } from '../core/index.ts';
import type { NodeStream, OpenHead } from '../link/index.ts';
import { errorBody, NO_USAGE } from '../openai/index.ts';
import type { EngineAdapter, EngineClient } from '../engine/index.ts';
import type { EngineMirror } from '../prefix/index.ts';
import type { NodeCounters } from './counters.ts';
import type { NodeMetrics } from './node-metrics.ts';
import type { NodeTuning } from './options.ts';
import { RunningAttempt, type OnAttemptEnd, type RunningAttemptDeps, type StopReason } from './running-attempt.ts';

export interface AttemptRunnerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly client: EngineClient;
  readonly adapter: EngineAdapter;
  readonly counters: NodeCounters;
  readonly metrics: NodeMetrics;
  readonly tuning: NodeTuning;
  /** The engine's rank behind a replica; null when this node has no such replica. */
  rankOf(replica: string): number | null;
  mirrorOf(rank: number): EngineMirror;
  /** Why no attempt may start now; null when one may. */
  refusal(): string | null;
  onProgress(): void;
  onUnreachable(cause: unknown): void;
  /** An attempt began or ended: the engine's load is about to change. */
  onWork(): void;
}

const PASSED_HEADERS = ['accept', 'content-type', 'traceparent', 'tracestate'];

/** Runs attempts in the engine, within a bound, and counts what they came to. */
export class AttemptRunner {
  readonly #deps: AttemptRunnerDeps;
  readonly #attemptDeps: RunningAttemptDeps;
  readonly #running = new Map<RunningAttempt, number>();
  readonly #runningByRank = new Map<number, number>();
  #idleWaiters: (() => void)[] = [];

  constructor(deps: AttemptRunnerDeps) {
    this.#deps = deps;
    const { clock, tuning, adapter, metrics } = deps;
    this.#attemptDeps = {
      clock,
      metrics,
      limits: tuning,
      abortWaitMs: tuning.abortWaitMs,
      abortRepeatMs: tuning.abortRepeatMs,
      abort: adapter.abort === null ? null : (attemptId) => void this.#abort(attemptId),
      onProgress: () => deps.onProgress(),
      onUnreachable: (cause) => deps.onUnreachable(cause),
    };
  }

  get inFlight(): number {
    return this.#running.size;
  }

  inFlightOf(rank: number): number {
    return this.#runningByRank.get(rank) ?? 0;
  }

  /** Starts what a stream asks for; null when it was refused, which the stream has then been told. */
  start(stream: NodeStream, head: OpenHead, body: Buffer, onEnd: OnAttemptEnd): RunningAttempt | null {
    const { client, adapter, counters } = this.#deps;
    let ready: { readonly rank: number; readonly body: Buffer };
    try {
      const rank = this.#admit(head);
      ready = { rank, body: adapter.prepareBody(head.path, body, head.attempt, rank) };
    } catch (error) {
      counters.attemptsRefused += 1;
      refuse(stream, asMeridianError(error));
      return null;
    }
    const { cacheSalt, streamed } = head.attempt;
    const mirrored = this.#deps.mirrorOf(ready.rank).follow(head.path, body, cacheSalt, streamed);
    const attempt = new RunningAttempt(stream, head, mirrored, this.#attemptDeps, (settled, isToldByStream) => {
      this.#ended(attempt, settled);
      onEnd(settled, isToldByStream);
    });
    counters.attemptsStarted += 1;
    this.#running.set(attempt, ready.rank);
    this.#runningByRank.set(ready.rank, this.inFlightOf(ready.rank) + 1);
    client.dispatch(head.path, passedHeaders(head.headers), ready.body, attempt.raw);
    this.#deps.onWork();
    return attempt;
  }

  stopAll(reason: StopReason): void {
    for (const attempt of this.#running.keys()) attempt.stop(reason);
  }

  /** Resolves once no attempt runs. */
  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  #admit(head: OpenHead): number {
    const refusal = this.#deps.refusal();
    if (refusal !== null) throw new MeridianError('overloaded', { message: refusal });
    if (this.#running.size >= this.#deps.tuning.attemptsMax) throw new MeridianError('overloaded', { message: 'The node is full.' });
    // The engine's control endpoints are for the daemon alone.
    if (!/^\/v1\/[a-z_/]+$/.test(head.path)) throw new MeridianError('not_found');
    const rank = this.#deps.rankOf(head.attempt.replica);
    if (rank === null) throw new MeridianError('overloaded', { message: 'The node has no such replica.' });
    return rank;
  }

  #ended(attempt: RunningAttempt, settled: Parameters<OnAttemptEnd>[0]): void {
    const { counters } = this.#deps;
    const rank = this.#running.get(attempt) ?? 0;
    this.#running.delete(attempt);
    this.#runningByRank.set(rank, this.inFlightOf(rank) - 1);
    if (settled.outcome === 'completed') counters.attemptsCompleted += 1;
    else if (settled.outcome === 'failed') counters.attemptsFailed += 1;
    else counters.attemptsAborted += 1;
    const usage = settled.settlement.usage ?? settled.settlement.counted ?? NO_USAGE;
    counters.promptTokens += usage.promptTokens;
    counters.cachedTokens += usage.cachedTokens;
    counters.completionTokens += usage.completionTokens;
    this.#deps.onWork();
    if (this.#running.size === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  async #abort(attemptId: string): Promise<void> {
    try {
      await this.#deps.adapter.abort?.(attemptId);
    } catch (error) {
      this.#deps.log.debug({ attempt: attemptId, error }, 'the engine did not take an abort');
    }
  }
}

/** An answer of the node itself, in the clients' error shape. */
function refuse(stream: NodeStream, error: MeridianError): void {
  stream.head(error.row.status, { 'content-type': 'application/json' });
  stream.data(Buffer.from(JSON.stringify(errorBody(error))));
  stream.end({ usage: null, counted: NO_USAGE, frames: 0 });
}

function passedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of PASSED_HEADERS) {
    const value = headers[name];
    if (value !== undefined) passed[name] = value;
  }
  return passed;
}
