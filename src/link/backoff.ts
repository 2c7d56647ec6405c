import type { Rng } from '../core/index.ts';

export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Exponential back-off with jitter: before try n (from 1) between `minMs` and min(`maxMs`, `minMs` · 2ⁿ). */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #rng: Rng;
  #failures = 0;

  constructor(options: BackoffOptions, rng: Rng) {
    this.#options = options;
    this.#rng = rng;
  }

  /** Milliseconds to wait before the next try. */
  next(): number {
    const { minMs, maxMs } = this.#options;
    this.#failures = Math.min(this.#failures + 1, 30);
    const ceilingMs = Math.min(maxMs, minMs * 2 ** this.#failures);
    return minMs + this.#rng.next() * (ceilingMs - minMs);
  }

  reset(): void {
    this.#failures = 0;
  }
}
