export interface RetryBudgetOptions {
  /** Retries under way for each request that is not one of them. */
  readonly share: number;
  /** So many may be under way in any case. */
  readonly inFlightMin: number;
}

/**
 * Bounds the retries under way by the requests under way, so that a fleet that fails is not given more work for it: with all
 * attempts failing the load grows by `share` at most.
 */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  #retrying = 0;

  constructor(options: RetryBudgetOptions) {
    this.#options = options;
  }

  get retrying(): number {
    return this.#retrying;
  }

  /** Leave to try a request again, with `underWay` requests in all; null when there is none. Call what is returned once, when the retry has shown what comes of it. */
  tryEnter(underWay: number): (() => void) | null {
    const { share, inFlightMin } = this.#options;
    if (this.#retrying >= Math.max(inFlightMin, Math.floor(share * (underWay - this.#retrying)))) return null;
    this.#retrying += 1;
    let isLeft = false;
    return () => {
      if (isLeft) throw new Error('a retry was ended twice');
      isLeft = true;
      this.#retrying -= 1;
    };
  }
}
