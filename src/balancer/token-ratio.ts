const WEIGHT = 0.02;
/** Of a model that nobody has said anything of. */
const BYTES_PER_TOKEN = 4;
const BYTES_PER_TOKEN_MIN = 0.5;
const BYTES_PER_TOKEN_MAX = 64;

/**
 * Bytes of prompt per token, learned per model and kind of text from what engines report, so that nothing on the hot path
 * tokenizes. An exponentially weighted mean of the ratio; a kind of text nothing is known of yet takes the model's.
 */
export class TokenRatio {
  readonly #ofModel: Map<string, number>;
  /** By model and kind: both are few. */
  readonly #ofKind = new Map<string, number>();

  /** `initial`: bytes per token of each model, before usage corrects it. */
  constructor(initial: Iterable<readonly [model: string, bytesPerToken: number]> = []) {
    this.#ofModel = new Map(initial);
  }

  bytesPerToken(model: string, kind: string): number {
    return this.#ofKind.get(`${model}\0${kind}`) ?? this.#ofModel.get(model) ?? BYTES_PER_TOKEN;
  }

  /** Estimated tokens of a prompt of `bytes`. */
  estimate(model: string, kind: string, bytes: number): number {
    return Math.ceil(bytes / this.bytesPerToken(model, kind));
  }

  /** A prompt of `bytes` turned out to hold `promptTokens`. Models are the configured ones: the maps are bounded by them. */
  learn(model: string, kind: string, bytes: number, promptTokens: number): void {
    if (promptTokens === 0) return;
    const seen = Math.min(BYTES_PER_TOKEN_MAX, Math.max(BYTES_PER_TOKEN_MIN, bytes / promptTokens));
    const old = this.bytesPerToken(model, kind);
    this.#ofKind.set(`${model}\0${kind}`, old + WEIGHT * (seen - old));
  }
}
