/** Weight of one report among many; the first ones weigh as much as all before them. */
const WEIGHT = 0.02;
/** Of a model that nobody has said anything of. */
const BYTES_PER_TOKEN = 4;
const BYTES_PER_TOKEN_MIN = 0.5;
const BYTES_PER_TOKEN_MAX = 64;
/** How many reports the first guess is worth, and how far from what is known one report may pull. */
const GUESS_REPORTS = 3;
const PULL_MAX = 2;

/**
 * Bytes of prompt per token, learned per model and kind of text from what engines report, so that nothing on the hot path
 * tokenizes. A mean of the ratio that becomes an exponentially weighted one; a kind of text nothing is known of yet takes the
 * model's.
 */
export class TokenRatio {
  #ofModel: ReadonlyMap<string, number>;
  /** By model and kind: both are few. */
  readonly #ofKind = new Map<string, { bytesPerToken: number; reports: number }>();

  /** `initial`: bytes per token of each model, before usage corrects it. */
  constructor(initial: Iterable<readonly [model: string, bytesPerToken: number]> = []) {
    this.#ofModel = new Map(initial);
  }

  /** Other first guesses, for what nothing was learned of yet. */
  reconfigure(initial: Iterable<readonly [model: string, bytesPerToken: number]>): void {
    this.#ofModel = new Map(initial);
  }

  bytesPerToken(model: string, kind: string): number {
    return this.#ofKind.get(`${model}\0${kind}`)?.bytesPerToken ?? this.#ofModel.get(model) ?? BYTES_PER_TOKEN;
  }

  /** Estimated tokens of a prompt of `bytes`. */
  estimate(model: string, kind: string, bytes: number): number {
    return Math.ceil(bytes / this.bytesPerToken(model, kind));
  }

  /** A prompt of `bytes` turned out to hold `promptTokens`. Models are the configured ones: the maps are bounded by them. */
  learn(model: string, kind: string, bytes: number, promptTokens: number): void {
    if (promptTokens === 0) return;
    const key = `${model}\0${kind}`;
    const known = this.#ofKind.get(key) ?? { bytesPerToken: this.bytesPerToken(model, kind), reports: GUESS_REPORTS };
    const near = Math.min(known.bytesPerToken * PULL_MAX, Math.max(known.bytesPerToken / PULL_MAX, bytes / promptTokens));
    const seen = Math.min(BYTES_PER_TOKEN_MAX, Math.max(BYTES_PER_TOKEN_MIN, near));
    known.reports += 1;
    known.bytesPerToken += Math.max(WEIGHT, 1 / known.reports) * (seen - known.bytesPerToken);
    this.#ofKind.set(key, known);
  }
}
