import type { Rng } from '../core/index.ts';
import type { LoadMessage, NodeState } from '../link/index.ts';
import type { Upstream } from '../openai/index.ts';
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
}

/** A load report as far as choosing needs it. Null is unknown, never zero. */
export type ReplicaLoad = Pick<
  LoadMessage,
  'seq' | 'ageMs' | 'running' | 'queued' | 'queuedUncachedTokens' | 'kvTokensUsed' | 'kvTokens' | 'prefillTokensPerS' | 'decodeTokensPerS'
>;

export type AttemptVerdict = 'success' | 'failure' | 'ignored';

/** A shorter round trip is nearer the truth than a longer one: what delays a ping is mostly our own being busy. */
const RTT_WEIGHT = { shorter: 0.5, longer: 0.1 };

/** One replica as this gateway sees it: where it is, how far, how busy, how fast, and whether it may be tried. */
export class Replica {
  readonly identity: ReplicaIdentity;
  readonly upstream: Upstream;
  readonly breaker: Breaker;
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

  constructor(identity: ReplicaIdentity, upstream: Upstream, breaker: BreakerOptions, rng: Rng, pace: PacePrior = PACE_PRIOR) {
    this.identity = identity;
    this.upstream = upstream;
    this.pace = new Pace(pace);
    this.breaker = new Breaker(breaker, rng);
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

  setState(state: NodeState, reason: string): void {
    this.#state = state;
    this.#reason = reason;
  }

  /** Takes a load report that knows of all dispatches up to `seenMark`. */
  report(load: ReplicaLoad, seenMark: number, now: number): void {
    this.#load = load;
    this.#loadAtMs = now;
    // Beside a prefill, a step takes as long as the prefill: that tells nothing of decoding.
    if (load.decodeTokensPerS !== null && load.queuedUncachedTokens === 0) this.pace.sawDecoding(load.running, load.decodeTokensPerS);
    // A report that does not know what waits does not replace what we know we sent.
    if (load.queuedUncachedTokens !== null) {
      const rttMs = this.#rttMs ?? 0;
      this.backlog.reported(load.queuedUncachedTokens, seenMark, now - load.ageMs - rttMs / 2, rttMs);
    }
  }

  measured(rttMs: number): void {
    const before = this.#rttMs ?? rttMs;
    this.#rttMs = before + (rttMs < before ? RTT_WEIGHT.shorter : RTT_WEIGHT.longer) * (rttMs - before);
  }

  /** Whether an attempt may be made at all. */
  isAvailable(now: number): boolean {
    return this.#state === 'ready' && this.breaker.allows(now);
  }

  /** Starts an attempt; null when the breaker says no. The permit must be ended exactly once. */
  enter(now: number): AttemptPermit | null {
    const pass = this.#state === 'ready' ? this.breaker.tryEnter(now) : null;
    if (pass === null) return null;
    this.#inFlight += 1;
    let isEnded = false;
    return {
      progressed: () => pass.progressed(),
      end: (verdict, endedAtMs) => {
        if (isEnded) throw new Error('an attempt permit was ended twice');
        isEnded = true;
        this.#inFlight -= 1;
        if (verdict !== 'ignored') this.failures.saw(verdict === 'failure', endedAtMs);
        if (verdict === 'success') pass.succeeded();
        else if (verdict === 'failure') pass.failed(endedAtMs);
        else pass.ignored();
      },
    };
  }
}

export interface AttemptPermit {
  /** The first token came. */
  progressed(): void;
  end(verdict: AttemptVerdict, now: number): void;
}
