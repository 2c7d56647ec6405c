export interface RetryBudgetOptions {
  /** Retries within the window for each request there. */
  readonly share: number;
  readonly windowMs: number;
  /** So many within the window in any case. */
  readonly reserve: number;
}

const PARTS = 10;

/**
 * Bounds retries by the requests of late, so that a fleet that fails is not given more work for it: with all attempts failing
 * the load grows by `share`. What was not used is there when a node or a region dies, and many requests need it at once.
 */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  readonly #requests = new Float64Array(PARTS);
  readonly #retries = new Float64Array(PARTS);
  #newest = 0;

  constructor(options: RetryBudgetOptions) {
    this.#options = options;
  }

  /** A request is about to be tried for the first time. */
  began(now: number): void {
    this.#moveOn(now);
    this.#add(this.#requests);
  }

  /** Whether a request may be tried again; if so, that is counted. */
  trySpend(now: number): boolean {
    this.#moveOn(now);
    const { share, reserve } = this.#options;
    if (sum(this.#retries) + 1 > Math.max(reserve, share * sum(this.#requests))) return false;
    this.#add(this.#retries);
    return true;
  }

  #add(counts: Float64Array): void {
    const part = this.#newest % PARTS;
    counts[part] = (counts[part] ?? 0) + 1;
  }

  #moveOn(now: number): void {
    const part = Math.floor((now * PARTS) / this.#options.windowMs);
    for (let i = Math.max(this.#newest + 1, part - PARTS + 1); i <= part; i += 1) {
      this.#requests[i % PARTS] = 0;
      this.#retries[i % PARTS] = 0;
    }
    this.#newest = Math.max(this.#newest, part);
  }
}

function sum(counts: Float64Array): number {
  return counts.reduce((all, count) => all + count, 0);
}
