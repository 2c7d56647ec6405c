import type { Rng } from '../core/index.ts';

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failuresMax: number;
  /** First time open; doubles with each opening that no success came between. */
  readonly openMs: number;
  readonly openMsMax: number;
}

export type BreakerState =
  | { readonly kind: 'closed'; readonly failures: number; readonly openings: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly openings: number }
  | { readonly kind: 'half-open'; readonly openings: number };

/** An attempt that was let through. What it tells counts only in the state it began in: later, it is old news. */
export interface BreakerPass {
  /** It showed progress. On probation that closes the breaker, and one more failure opens it again. */
  progressed(): void;
  /** Its end; the only one. */
  succeeded(): void;
  failed(now: number): void;
  /** It told nothing about the replica. */
  ignored(): void;
}

/**
 * Decides whether a replica may be tried: closed → open → half-open, where one probe at a time decides. A client's own
 * fault and a client that left are no evidence.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #rng: Rng;
  #state: BreakerState = { kind: 'closed', failures: 0, openings: 0 };
  /** Rises whenever the kind of state changes. */
  #era = 0;

  constructor(options: BreakerOptions, rng: Rng) {
    this.#options = options;
    this.#rng = rng;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether `tryEnter` would let an attempt through. */
  allows(now: number): boolean {
    switch (this.#state.kind) {
      case 'closed':
        return true;
      case 'open':
        return now >= this.#state.untilMs;
      case 'half-open':
        return false;
    }
  }

  /** Lets an attempt through, or not: null. */
  tryEnter(now: number): BreakerPass | null {
    if (!this.allows(now)) return null;
    const { kind, openings } = this.#state;
    if (kind === 'closed') return this.#pass();
    this.#become({ kind: 'half-open', openings });
    return this.#pass();
  }

  #pass(): BreakerPass {
    let era = this.#era;
    const now = (act: () => void): void => {
      if (era === this.#era) act();
    };
    return {
      progressed: () =>
        now(() => {
          this.#progressed();
          era = this.#era;
        }),
      succeeded: () => now(() => this.#become({ kind: 'closed', failures: 0, openings: 0 })),
      failed: (nowMs) => now(() => this.#failed(nowMs)),
      ignored: () => now(() => this.#ignored()),
    };
  }

  #progressed(): void {
    const { kind, openings } = this.#state;
    if (kind === 'half-open') this.#become({ kind: 'closed', failures: this.#options.failuresMax - 1, openings });
  }

  #failed(now: number): void {
    const state = this.#state;
    const failures = state.kind === 'closed' ? state.failures + 1 : this.#options.failuresMax;
    if (failures >= this.#options.failuresMax) this.#open(now);
    else this.#become({ kind: 'closed', failures, openings: state.openings });
  }

  /** A probe that told nothing makes way for another one. */
  #ignored(): void {
    const { kind, openings } = this.#state;
    if (kind === 'half-open') this.#become({ kind: 'open', untilMs: -Infinity, openings });
  }

  #open(now: number): void {
    const { openMs, openMsMax } = this.#options;
    const { openings } = this.#state;
    const spanMs = Math.min(openMsMax, openMs * 2 ** Math.min(openings, 30));
    const jitter = 0.5 + this.#rng.next();
    this.#become({ kind: 'open', untilMs: now + spanMs * jitter, openings: openings + 1 });
  }

  #become(state: BreakerState): void {
    if (state.kind !== this.#state.kind) this.#era += 1;
    this.#state = state;
  }
}
