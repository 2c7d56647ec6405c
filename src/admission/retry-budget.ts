import { WindowCount } from '../core/index.ts';

export interface RetryBudgetOptions {
  /** Retries within the window for each request there. */
  readonly share: number;
  readonly windowMs: number;
  /** So many within the window in any case. */
  readonly reserve: number;
}

/**
 * Bounds retries by the requests of late, so that a fleet that fails is not given more work for it: with all attempts failing
 * the load grows by `share`. What was not used is there when a node or a region dies, and many requests need it at once.
 */
export class RetryBudget {
  #options: RetryBudgetOptions;
  #requests: WindowCount;
  #retries: WindowCount;

  constructor(options: RetryBudgetOptions) {
    this.#options = options;
    this.#requests = new WindowCount(options.windowMs);
    this.#retries = new WindowCount(options.windowMs);
  }

  /** Other bounds from now on; what was counted goes on to count, unless the window is another. */
  reconfigure(options: RetryBudgetOptions): void {
    if (options.windowMs !== this.#options.windowMs) {
      this.#requests = new WindowCount(options.windowMs);
      this.#retries = new WindowCount(options.windowMs);
    }
    this.#options = options;
  }

  /** A request is about to be tried for the first time. */
  began(now: number): void {
    this.#requests.add(now);
  }

  /** Whether a request may be tried again; if so, that is counted. */
  trySpend(now: number): boolean {
    const { share, reserve } = this.#options;
    if (this.#retries.at(now) + 1 > Math.max(reserve, share * this.#requests.at(now))) return false;
    this.#retries.add(now);
    return true;
  }
}
