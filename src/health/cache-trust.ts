/** Cached tokens after which half of what was known is replaced. */
const MEMORY_TOKENS = 200_000;
const PRIOR_TOKENS = 20_000;
const TRUST_MAX = 1.25;

/**
 * ρ: which part of the cached tokens that were predicted for a replica its engine then really found, as a ratio of two
 * exponentially weighted sums. Begins at 1.
 */
export class CacheTrust {
  #predicted = PRIOR_TOKENS;
  #actual = PRIOR_TOKENS;

  get value(): number {
    return Math.min(TRUST_MAX, this.#actual / this.#predicted);
  }

  /** `predictedTokens` is what the mirror said, before trust; `actualTokens` what the engine reported. */
  saw(predictedTokens: number, actualTokens: number): void {
    if (predictedTokens <= 0) return;
    const keep = 2 ** (-predictedTokens / MEMORY_TOKENS);
    this.#predicted = this.#predicted * keep + predictedTokens;
    // What the engine found beyond the mirror comes from elsewhere, and says little for it.
    this.#actual = this.#actual * keep + Math.min(actualTokens, predictedTokens * TRUST_MAX);
  }

  /** Another engine, or an emptied cache: nothing is known of it yet. */
  reset(): void {
    this.#predicted = PRIOR_TOKENS;
    this.#actual = PRIOR_TOKENS;
  }
}
