/** So many hedges may come together after a quiet time. */
const SAVED_MAX = 5;

/** Bounds second attempts to a share of the requests: each request saves up a part of one. */
export class HedgeBudget {
  #share: number;
  #saved = 0;

  constructor(share: number) {
    this.#share = share;
  }

  /** Another share from now on. */
  reconfigure(share: number): void {
    this.#share = share;
  }

  /** A request came. */
  earn(): void {
    this.#saved = Math.min(SAVED_MAX, this.#saved + this.#share);
  }

  /** Whether there is what one hedge costs. */
  canSpend(): boolean {
    return this.#saved >= 1;
  }

  /** Takes what one hedge costs, if there is so much. */
  trySpend(): boolean {
    if (!this.canSpend()) return false;
    this.#saved -= 1;
    return true;
  }
}
