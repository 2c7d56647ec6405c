import type { Rng } from '../core/index.ts';
import type { LoadMessage, NodeState } from '../link/index.ts';
import type { Continuation, Upstream } from '../openai/index.ts';
import { Backlog } from './backlog.ts';
import { Breaker, type BreakerOptions } from './breaker.ts';
import { CacheTrust } from './cache-trust.ts';
import { FailureRate } from './failure-rate.ts';
import { Pace, PACE_PRIOR, type PacePrior } from './pace.ts';

/** What a replica is; fixed for as long as its node stays linked. */
export interface ReplicaIdentity {
  /** Unique in the fleet. */
  readonly id: string;
  readonly node: string;
  readonly region: string;
  readonly engine: string;
  readonly models: readonly string[];
  readonly contextTokens: number;
  readonly runningMax: number | null;
  /** Size of the KV cache; null when the engine does not say. */
  readonly kvTokens: number | null;
  /** How it can go on with an answer that another one began. */
  readonly continuation: Continuation;
}

/** A load report as far as choosing needs it. Null is unknown, never zero. */
export type ReplicaLoad = Pick<
  LoadMessage,
  'seq' | 'ageMs' | 'running' | 'queued' | 'queuedUncachedTokens' | 'kvTokensUsed' | 'kvTokens' | 'prefillTokensPerS' | 'decodeTokensPerS' | 'acceptLength'
>;

export type AttemptVerdict = 'success' | 'failure' | 'ignored';

/** By what a replica is judged. Times in milliseconds. */
export interface ReplicaHealthOptions {
  readonly breaker: BreakerOptions;
  /** One that comes back is loaded from this share of its speed up, over so long. */
  readonly slowStartFrom: number;
  readonly slowStartMs: number;
  /** One that is answering and gives no token on any stream for so long, and for the prefills that wait there, gets nothing new: it may be stuck. */
  readonly silentMs: number;
}

/** A shorter round trip is nearer the truth than a longer one: what delays a ping is mostly our own being busy. */
const RTT_WEIGHT = { shorter: 0.5, longer: 0.1 };

/** One replica as this gateway sees it: where it is, how far, how busy, how fast, and whether it may be tried. */
export class Replica {
  readonly identity: ReplicaIdentity;
  readonly upstream: Upstream;
  readonly breaker: Breaker;
  #health: ReplicaHealthOptions;
  readonly #rng: Rng;
  /** What waits there. */
  readonly backlog = new Backlog();
  /** How fast it is, as learned. */
  readonly pace: Pace;
  /** How far its mirrored cache is to be believed. */
  readonly trust = new CacheTrust();
  readonly failures = new FailureRate();
  /** KV tokens that this gateway's attempts under way take there, answers included as expected. */
  heldKvTokens = 0;
  /** Its place in the balancer's prefix index, kept here so that ranking a thousand replicas looks nothing up. */
  place: { readonly slot: number } | null = null;
  #state: NodeState = 'starting';
  #reason = '';
  #load: ReplicaLoad | null = null;
  #loadAtMs = 0;
  #rttMs: number | null = null;
  #inFlight = 0;
  /** Attempts whose first token has come. */
  #answering = 0;
  /** When those whose first token has not come are overdue. */
  readonly #dueMs: number[] = [];
  /** When a token last came on any stream of this gateway. */
  #heardAtMs = 0;
  #ramp: Ramp | null = null;

  constructor(identity: ReplicaIdentity, upstream: Upstream, health: ReplicaHealthOptions, rng: Rng, pace: PacePrior = PACE_PRIOR) {
    this.identity = identity;
    this.upstream = upstream;
    this.pace = new Pace(pace);
    this.breaker = new Breaker(health.breaker, rng);
    this.#health = health;
    this.#rng = rng;
  }

  /** It is judged by these from now on. */
  reconfigure(health: ReplicaHealthOptions): void {
    this.#health = health;
    this.breaker.reconfigure(health.breaker);
  }

  get state(): NodeState {
    return this.#state;
  }

  get reason(): string {
    return this.#reason;
  }

  get load(): ReplicaLoad | null {
    return this.#load;
  }

  /** Monotonic time at which the newest load report came. */
  get loadAtMs(): number {
    return this.#loadAtMs;
  }

  /** Exponentially weighted round trip from this gateway; null before the first measurement. */
  get rttMs(): number | null {
    return this.#rttMs;
  }

  /** Attempts of this gateway under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  setState(state: NodeState, reason: string, now: number): void {
    if (state === 'ready' && this.#state !== 'ready') this.#startSlowly(now);
    this.#state = state;
    this.#reason = reason;
  }

  /** Takes a load report that knows of all dispatches up to `seenMark`. */
  report(load: ReplicaLoad, seenMark: number, now: number): void {
    this.#load = load;
    this.#loadAtMs = now;
    const { queuedUncachedTokens: waiting, queued } = load;
    // Beside a prefill, a step takes as long as the prefill: that tells nothing of decoding.
    if (load.decodeTokensPerS !== null && (waiting ?? queued) === 0) this.pace.sawDecoding(load.running, load.decodeTokensPerS);
    // A report that does not know what waits does not replace what we know we sent.
    const rttMs = this.#rttMs ?? 0;
    const takenMs = now - load.ageMs - rttMs / 2;
    if (waiting !== null) this.backlog.reported(waiting, seenMark, takenMs, rttMs);
    else if (queued === 0) this.backlog.reportedEmpty(takenMs, rttMs);
  }

  measured(rttMs: number): void {
    const before = this.#rttMs ?? rttMs;
    this.#rttMs = before + (rttMs < before ? RTT_WEIGHT.shorter : RTT_WEIGHT.longer) * (rttMs - before);
  }

  /** Token progress on one of its streams. */
  heard(now: number): void {
    this.#heardAtMs = now;
  }

  /**
   * No token has come for long on any stream, though it has begun to answer, or is long overdue with an answer. While prompts are
   * prefilled there may be none: so long as what waits there takes is allowed for.
   */
  isSilent(now: number): boolean {
    const quietMs = now - this.#heardAtMs;
    if (quietMs <= this.#health.silentMs) return false;
    const tokensPerMs = this.pace.prefillTokensPerMs;
    if (quietMs <= this.#health.silentMs + this.backlog.tokensAt(this.#heardAtMs, tokensPerMs) / tokensPerMs) return false;
    if (this.#answering > 0) return true;
    for (const dueMs of this.#dueMs) if (dueMs < now) return true;
    return false;
  }

  /** Whether there is nothing against an attempt there. */
  isHealthy(now: number): boolean {
    return this.#state === 'ready' && this.breaker.allows(now) && !this.isSilent(now);
  }

  /** Which share of its speed is counted on: less than 1 for a while after it came back. */
  rampAt(now: number): number {
    if (this.#ramp === null) return 1;
    const share = this.#health.slowStartFrom + ((1 - this.#health.slowStartFrom) * (now - this.#ramp.fromMs)) / this.#ramp.spanMs;
    if (share < 1) return Math.max(this.#health.slowStartFrom, share);
    this.#ramp = null;
    return 1;
  }

  /**
   * Starts an attempt, whatever its breaker says: who may be tried is decided by `eligible`. Null when it is not ready. The
   * permit must be ended exactly once. `expectedMs`: when its first token is expected.
   */
  enter(now: number, expectedMs = 0): AttemptPermit | null {
    if (this.#state !== 'ready') return null;
    const pass = this.breaker.enter(now);
    this.#inFlight += 1;
    let stage: 'waiting' | 'answering' | 'ended' = 'waiting';
    const dueMs = now + Math.max(this.#health.silentMs, OVERDUE * expectedMs);
    this.#dueMs.push(dueMs);
    return {
      progressed: (atMs) => {
        if (stage !== 'waiting') return;
        stage = 'answering';
        this.#forgetDue(dueMs);
        this.#answering += 1;
        this.#heardAtMs = atMs;
        this.#tellBreaker(() => pass.progressed(atMs), atMs);
      },
      end: (verdict, endedAtMs) => {
        if (stage === 'ended') throw new Error('an attempt permit was ended twice');
        if (stage === 'answering') this.#answering -= 1;
        else this.#forgetDue(dueMs);
        stage = 'ended';
        this.#inFlight -= 1;
        if (verdict !== 'ignored') this.failures.saw(verdict === 'failure', endedAtMs);
        this.#tellBreaker(() => {
          if (verdict === 'success') pass.succeeded(endedAtMs);
          else if (verdict === 'failure') pass.failed(endedAtMs);
          else pass.ignored();
        }, endedAtMs);
      },
    };
  }

  #forgetDue(dueMs: number): void {
    this.#dueMs.splice(this.#dueMs.indexOf(dueMs), 1);
  }

  /** A replica whose breaker closes comes back, too. */
  #tellBreaker(tell: () => void, now: number): void {
    const wasClosed = this.breaker.isClosed;
    tell();
    if (!wasClosed && this.breaker.isClosed) this.#startSlowly(now);
  }

  /** The span is longer or shorter by up to a fifth, so that what came back together does not rise in step. */
  #startSlowly(now: number): void {
    const { slowStartMs } = this.#health;
    this.#ramp = slowStartMs <= 0 ? null : { fromMs: now, spanMs: slowStartMs * (0.8 + 0.4 * this.#rng.next()) };
  }
}

/** A first token so many times later than expected is overdue. */
const OVERDUE = 2;

interface Ramp {
  readonly fromMs: number;
  readonly spanMs: number;
}

export interface AttemptPermit {
  /** The first token came. */
  progressed(now: number): void;
  end(verdict: AttemptVerdict, now: number): void;
}
