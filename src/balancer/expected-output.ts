import { LRUCache } from 'lru-cache';

const WEIGHT = 0.1;
const FIRST_GUESS_TOKENS = 256;

/** How long answers will be: an exponentially weighted mean per key and model, from the model's own until a key has one. */
export class ExpectedOutput {
  readonly #byKey: LRUCache<string, number>;
  /** Models are the configured ones: the map is bounded by them. */
  readonly #byModel = new Map<string, number>();

  /** `keysMax`: keys and models remembered. */
  constructor(keysMax: number) {
    this.#byKey = new LRUCache({ max: keysMax });
  }

  /** Expected tokens of an answer, at most `tokensMax` if the client has set a bound. */
  estimate(key: string, model: string, tokensMax: number | null): number {
    const expected = this.#byKey.get(`${key}\0${model}`) ?? this.#byModel.get(model) ?? FIRST_GUESS_TOKENS;
    return tokensMax === null ? expected : Math.min(expected, tokensMax);
  }

  learn(key: string, model: string, tokens: number): void {
    const keyed = `${key}\0${model}`;
    const ofModel = this.#byModel.get(model) ?? FIRST_GUESS_TOKENS;
    this.#byModel.set(model, ofModel + WEIGHT * (tokens - ofModel));
    const before = this.#byKey.get(keyed) ?? ofModel;
    this.#byKey.set(keyed, before + WEIGHT * (tokens - before));
  }
}
