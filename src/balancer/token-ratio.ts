const WEIGHT = 0.02;
const BYTES_PER_TOKEN_MIN = 0.5;
const BYTES_PER_TOKEN_MAX = 64;

/**
 * Bytes of request body per prompt token, learned per model from what engines report, so that nothing on the hot path
 * tokenizes. An exponentially weighted mean of the ratio.
 */
export class TokenRatio {
  readonly #initial: number;
  readonly #learned = new Map<string, number>();

  constructor(initialBytesPerToken = 4) {
    this.#initial = initialBytesPerToken;
  }

  /** Estimated prompt tokens of a body of `bytes`. */
  estimate(model: string, bytes: number): number {
    return Math.ceil(bytes / (this.#learned.get(model) ?? this.#initial));
  }

  /** A body of `bytes` turned out to hold `promptTokens`. Models are the configured ones: the map is bounded by them. */
  learn(model: string, bytes: number, promptTokens: number): void {
    if (promptTokens === 0) return;
    const seen = Math.min(BYTES_PER_TOKEN_MAX, Math.max(BYTES_PER_TOKEN_MIN, bytes / promptTokens));
    const old = this.#learned.get(model) ?? this.#initial;
    this.#learned.set(model, old + WEIGHT * (seen - old));
  }
}
