import { ulid, type Cancel, type Clock, type Logger } from '../core/index.ts';
import { EngineStatusError, isRefused, type EngineAdapter, type EngineClient, type EngineInfo } from '../engine/index.ts';
import type { NodeCounters } from './counters.ts';
import type { NodeTuning } from './options.ts';

export type EngineState =
  | { readonly kind: 'starting' | 'warming' | 'unhealthy'; readonly reason: string }
  | { readonly kind: 'ready'; readonly reason: '' };

export interface EngineWatchDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly client: Pick<EngineClient, 'control'>;
  readonly adapter: EngineAdapter;
  readonly counters: NodeCounters;
  readonly tuning: NodeTuning;
  readonly startTimeoutMs: number;
}

export interface EngineWatchEvents {
  onState(state: EngineState): void;
  /** What is known of the engine changed, or another one runs: `epoch` and `info` are new. */
  onIdentity(): void;
  /** The engine was not ready in time. */
  onStartTimeout(): void;
}

/**
 * Tells whether the engine serves. Evidence goes before probes: an engine that makes tokens is alive however late its
 * health answers are, one at whose address nothing listens is not, and between those the probes decide.
 */
export class EngineWatch {
  readonly #deps: EngineWatchDeps;
  readonly #events: EngineWatchEvents;
  #state: EngineState = { kind: 'starting', reason: 'the engine has not answered yet' };
  #epoch: string;
  #info: EngineInfo | null = null;
  /** Whether what was known of the engine is void: nothing listened at its address, or its process ended. */
  #wasGone = false;
  #startedAtMs: number;
  #progressAtMs = Number.NEGATIVE_INFINITY;
  #infoAtMs = 0;
  #failures = 0;
  #isProbing = false;
  #cancelProbe: Cancel = () => {};
  #isStopped = false;

  constructor(deps: EngineWatchDeps, events: EngineWatchEvents) {
    this.#deps = deps;
    this.#events = events;
    this.#startedAtMs = deps.clock.now();
    this.#epoch = ulid(deps.clock.wallMs());
  }

  get state(): EngineState {
    return this.#state;
  }

  /** Names one run of the engine. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Null until the engine was ready for the first time. */
  get info(): EngineInfo | null {
    return this.#info;
  }

  start(): void {
    void this.#probe();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelProbe();
  }

  /** Bytes of an answer came. */
  progressed(): void {
    this.#progressAtMs = this.#deps.clock.now();
  }

  /** An attempt could not reach the engine. */
  unreachable(cause: unknown): void {
    if (isRefused(cause)) this.#failed(cause);
    else void this.#probe();
  }

  /** A supervised engine was started. */
  processStarted(): void {
    this.#startedAtMs = this.#deps.clock.now();
    this.#wasGone = true;
    this.#set({ kind: 'starting', reason: 'the engine was started' });
    void this.#probe();
  }

  /** A supervised engine ended. */
  processExited(reason: string): void {
    this.#wasGone = true;
    this.#set({ kind: 'unhealthy', reason });
  }

  async #probe(): Promise<void> {
    if (this.#isProbing || this.#isStopped) return;
    this.#isProbing = true;
    this.#cancelProbe();
    const { client, adapter, tuning, clock } = this.#deps;
    try {
      if (!this.#isProgressing(tuning.probeMs)) {
        await client.control('GET', adapter.readinessPath, undefined, tuning.probeTimeoutMs);
      }
      await this.#answered();
    } catch (error) {
      if (!this.#isStopped) this.#failed(error);
    }
    this.#isProbing = false;
    if (!this.#isStopped) this.#cancelProbe = clock.after(tuning.probeMs, () => void this.#probe());
  }

  #isProgressing(withinMs: number): boolean {
    return this.#state.kind === 'ready' && this.#deps.clock.now() - this.#progressAtMs < withinMs;
  }

  async #answered(): Promise<void> {
    const { adapter, clock, tuning } = this.#deps;
    this.#failures = 0;
    if (this.#state.kind !== 'ready' || clock.now() - this.#infoAtMs >= tuning.infoMs) {
      this.#identify(await adapter.readInfo());
      this.#infoAtMs = clock.now();
    }
    this.#set({ kind: 'ready', reason: '' });
  }

  #identify(info: EngineInfo): void {
    const before = this.#info;
    const isAnother = before !== null && (this.#wasGone || before.instance !== info.instance);
    this.#wasGone = false;
    this.#info = info;
    if (isAnother) this.#epoch = ulid(this.#deps.clock.wallMs());
    if (isAnother || JSON.stringify(before) !== JSON.stringify(info)) this.#events.onIdentity();
  }

  #failed(error: unknown): void {
    const { clock, tuning, counters, startTimeoutMs } = this.#deps;
    counters.probesFailed += 1;
    const text = error instanceof Error ? error.message : String(error);
    const isStarting = this.#state.kind === 'starting' || this.#state.kind === 'warming';
    if (isRefused(error)) {
      this.#wasGone = true;
      if (this.#state.kind === 'ready' || this.#state.kind === 'warming') {
        this.#set({ kind: 'unhealthy', reason: `nothing listens there: ${text}` });
      }
    } else if (isStarting || (this.#wasGone && error instanceof EngineStatusError)) {
      this.#set({ kind: 'warming', reason: `not ready: ${text}` });
    } else if (this.#state.kind === 'ready') {
      this.#failures += 1;
      if (this.#failures < tuning.probeFailuresMax || this.#isProgressing(tuning.progressMs)) return;
      this.#set({ kind: 'unhealthy', reason: `no tokens, and probes fail: ${text}` });
    }
    if (isStarting && clock.now() - this.#startedAtMs > startTimeoutMs) {
      this.#set({ kind: 'unhealthy', reason: `not ready within ${startTimeoutMs} ms: ${text}` });
      this.#events.onStartTimeout();
    }
  }

  #set(state: EngineState): void {
    if (state.kind === this.#state.kind && state.reason === this.#state.reason) return;
    const isNews = state.kind !== this.#state.kind;
    this.#state = state;
    if (isNews) this.#deps.log.info({ state: state.kind, reason: state.reason }, 'engine state');
    this.#events.onState(state);
  }
}
