const WEIGHT = 0.02;
/** Of a model that nobody has said anything of. */
const BYTES_PER_TOKEN = 4;
const BYTES_PER_TOKEN_MIN = 0.5;
const BYTES_PER_TOKEN_MAX = 64;

/**
 * Bytes of request body per prompt token, learned per model from what engines report, so that nothing on the hot path
 * tokenizes. An exponentially weighted mean of the ratio.
 */
export class TokenRatio {
  /** By model. */
  readonly #ratios: Map<string, number>;

  /** `initial`: bytes per token of each model, before usage corrects it. */
  constructor(initial: Iterable<readonly [model: string, bytesPerToken: number]> = []) {
    this.#ratios = new Map(initial);
  }

  /** Estimated prompt tokens of a body of `bytes`. */
  estimate(model: string, bytes: number): number {
    return Math.ceil(bytes / (this.#ratios.get(model) ?? BYTES_PER_TOKEN));
  }

  /** A body of `bytes` turned out to hold `promptTokens`. Models are the configured ones: the map is bounded by them. */
  learn(model: string, bytes: number, promptTokens: number): void {
    if (promptTokens === 0) return;
    const seen = Math.min(BYTES_PER_TOKEN_MAX, Math.max(BYTES_PER_TOKEN_MIN, bytes / promptTokens));
    const old = this.#ratios.get(model) ?? BYTES_PER_TOKEN;
    this.#ratios.set(model, old + WEIGHT * (seen - old));
  }
}
