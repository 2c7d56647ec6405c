import type { Cancel, Clock, Logger, Rng } from '../../core/index.ts';
import { Canary, CANARY_DEFAULTS, continuationOf, EngineClient, openaiAdapter, sglangAdapter, vllmAdapter, type ContinuationSetting, type EngineAdapter, type EngineAttemptDeps } from '../../engine/index.ts';
import { Replica, type PacePrior, type ReplicaHealthOptions } from '../../health/index.ts';
import type { AttemptDispatch, AttemptHandler, Continuation, EngineAnswerLimits, Upstream } from '../../openai/index.ts';
import { EngineMirror, type PrefixSink } from '../../prefix/index.ts';
import { AgentlessAttempt } from './agentless-attempt.ts';

/** An OpenAI-compatible engine that the gateway reaches by its URL, with no node daemon in front of it. */
export interface AgentlessOptions {
  readonly id: string;
  readonly url: string;
  readonly region: string;
  readonly models: readonly string[];
  readonly apiKey?: string | undefined;
  readonly engine: 'openai' | 'sglang' | 'vllm';
  readonly continuation: ContinuationSetting;
  readonly maxRunning: number;
  readonly contextTokens: number;
  readonly kvTokens?: number | undefined;
  readonly prefillTokensPerS: number;
  readonly pollMs: number;
  readonly canaryTokens: number;
}

export interface AgentlessBounds {
  readonly connectMs: number;
  readonly attemptsMax: number;
  readonly answer: EngineAnswerLimits;
  readonly health: ReplicaHealthOptions;
  readonly pace: PacePrior;
}

interface AgentlessDeps {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  readonly prefixes: PrefixSink;
}

const CONTROL_CONNECTIONS_MAX = 4;
const CONTROL_TIMEOUT_MS = 5_000;
/** Polls that fail in a row before the replica is left out; busy is not dead, and its tokens may still flow. */
const POLL_FAILURES_MAX = 3;
/** Between two tellings of what changed in the mirror. */
const MIRROR_MS = 100;
/** The next look after one that failed. */
const AGAIN_MS = 500;
const ABORT_WAIT_MS = 1_000;
const ABORT_REPEAT_MS = 200;

/** One agentless replica: its pool of connections, and the poll that does what a node's load reports would. */
export class AgentlessReplica implements Upstream {
  readonly replica: Replica;
  readonly #options: AgentlessOptions;
  readonly #deps: AgentlessDeps;
  readonly #client: EngineClient;
  readonly #adapter: EngineAdapter;
  readonly #attemptDeps: EngineAttemptDeps;
  readonly #canary: Canary;
  readonly #stopPolling: Cancel;
  readonly #stopTelling: Cancel;
  /** No daemon keeps it here. */
  readonly #mirror = new EngineMirror();
  #lastDispatch = 0;
  #seq = 0;
  #failures = 0;
  #isPolling = false;
  #isAnswering = false;
  /** Nothing is looked at any more. */
  #isOver = false;
  #cancelAgain: Cancel = () => {};

  constructor(options: AgentlessOptions, bounds: AgentlessBounds, deps: AgentlessDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#client = new EngineClient({
      url: options.url,
      apiKey: options.apiKey,
      attemptsMax: bounds.attemptsMax,
      controlConnectionsMax: CONTROL_CONNECTIONS_MAX,
      connectTimeoutMs: bounds.connectMs,
      controlTimeoutMs: CONTROL_TIMEOUT_MS,
    });
    const continuation = continuationOf(options.continuation, options.engine, null);
    this.#adapter = this.#adapterOf(options.engine, () => continuation);
    this.#attemptDeps = {
      clock: deps.clock,
      limits: bounds.answer,
      abortWaitMs: ABORT_WAIT_MS,
      abortRepeatMs: ABORT_REPEAT_MS,
      abort: this.#adapter.abort === null ? null : (attemptId) => this.#abort(attemptId),
    };
    const { id, region, models, contextTokens, maxRunning } = options;
    const identity = { id, node: id, region, engine: options.engine, models, contextTokens, runningMax: maxRunning, kvTokens: options.kvTokens ?? null, continuation };
    const pace = { ...bounds.pace, prefillTokensPerS: options.prefillTokensPerS };
    this.replica = new Replica(identity, this, bounds.health, deps.rng, pace);
    const canary = { ...CANARY_DEFAULTS, tokens: options.canaryTokens, promptTokens: Math.min(CANARY_DEFAULTS.promptTokens, Math.floor(contextTokens / 2)) };
    this.#canary = new Canary({ ...deps, client: this.#client, adapter: this.#adapter, model: String(models[0]), options: canary }, () => this.#judge());
    this.#stopTelling = deps.clock.every(MIRROR_MS, () => this.#tellChanges());
    this.#stopPolling = deps.clock.every(options.pollMs, () => void this.#poll());
    void this.#poll();
  }

  #adapterOf(engine: AgentlessOptions['engine'], continuation: () => Continuation): EngineAdapter {
    if (engine === 'sglang') return sglangAdapter(this.#client, continuation);
    if (engine === 'vllm') return vllmAdapter(this.#client, this.#deps.clock, continuation);
    return openaiAdapter(this.#client, () => this.replica.inFlight, continuation);
  }

  get lastDispatch(): number {
    return this.#lastDispatch;
  }

  dispatch({ path, headers, body, attempt }: AttemptDispatch, handler: AttemptHandler): boolean {
    this.#lastDispatch += 1;
    const prepared = this.#adapter.prepareBody(path, body, attempt, 0);
    const mirrored = this.#mirror.follow(path, body, attempt.cacheSalt, attempt.streamed);
    const running = new AgentlessAttempt(handler, attempt, mirrored, this.#attemptDeps);
    running.start();
    if (!running.raw.isOver) this.#client.dispatch(path, headers, prepared, running.raw);
    return true;
  }

  /** Takes nothing new from now on. What is under way goes on, until `close` breaks it. */
  retire(): void {
    this.#isOver = true;
    this.#stopPolling();
    this.#cancelAgain();
    this.#stopTelling();
    this.#canary.stop();
    this.replica.setState('draining', 'it is not in the configuration any more', this.#deps.clock.now());
  }

  async close(): Promise<void> {
    this.retire();
    await this.#client.close();
  }

  /** It answers; whether what it says makes sense, its canaries tell. */
  #judge(): void {
    if (this.#isOver) return;
    const { verdict } = this.#canary;
    const now = this.#deps.clock.now();
    if (verdict.kind === 'passed') this.replica.setState('ready', '', now);
    else if (verdict.kind === 'failed') this.replica.setState('unhealthy', verdict.reason, now);
    else this.replica.setState('warming', 'its canary has not come back yet', now);
  }

  /** What comes back may be another engine, with an empty cache. */
  #lost(): void {
    if (this.#isOver) return;
    this.#isAnswering = false;
    this.#canary.stop();
    this.replica.setState('unhealthy', 'it does not answer', this.#deps.clock.now());
    this.#mirror.cache.clear();
    this.#deps.prefixes.clear(this.#options.id);
  }

  #tellChanges(): void {
    const { id } = this.#options;
    const { stored, evicted } = this.#mirror.cache.takeChanges(Infinity);
    if (evicted.length > 0) this.#deps.prefixes.evicted(id, evicted);
    if (stored.length > 0) this.#deps.prefixes.stored(id, stored);
  }

  #abort(attemptId: string): void {
    this.#adapter.abort?.(attemptId).catch((error: unknown) => {
      this.#deps.log.debug({ replica: this.#options.id, attempt: attemptId, error }, 'the engine did not take an abort');
    });
  }

  /** One that does not answer is looked at sooner, however seldom it is looked at otherwise. */
  #againSoon(): void {
    this.#cancelAgain();
    if (this.#isOver) return;
    this.#cancelAgain = this.#deps.clock.after(Math.min(this.#options.pollMs, AGAIN_MS), () => void this.#poll());
  }

  async #poll(): Promise<void> {
    if (this.#isPolling || this.#isOver) return;
    this.#isPolling = true;
    const { clock } = this.#deps;
    const startedMs = clock.now();
    const seen = this.#lastDispatch;
    try {
      await this.#client.control('GET', this.#adapter.readinessPath);
      this.replica.measured(clock.now() - startedMs);
      const [load] = await this.#adapter.readLoad();
      this.#seq += 1;
      if (load !== undefined) {
        this.#mirror.sized(load.kvTokens ?? this.#options.kvTokens ?? null, load.kvTokensUsed);
        this.replica.report({ ...load, seq: this.#seq, ageMs: clock.now() - startedMs }, seen, clock.now());
      }
      this.#failures = 0;
      if (!this.#isAnswering && !this.#isOver) this.#canary.start();
      this.#isAnswering = true;
      this.#judge();
    } catch (error) {
      this.#failures += 1;
      if (this.#failures === POLL_FAILURES_MAX) this.#deps.log.warn({ replica: this.#options.id, error }, 'replica does not answer');
      if (this.#failures >= POLL_FAILURES_MAX) this.#lost();
      this.#againSoon();
    } finally {
      this.#isPolling = false;
    }
  }
}
