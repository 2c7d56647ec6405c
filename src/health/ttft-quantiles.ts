/** Prompt sizes are kept apart by factors of two, times by factors of 1.1 from a millisecond up. */
const SIZE_CLASSES = 24;
const TIME_STEP = Math.log(1.1);
const TIME_CLASSES = 160;
/** When a size has so many, the older half of the weight is forgotten. */
const COUNT_MAX = 2_000;

/**
 * Times to first token by size of the prompt, over the whole fleet. An answer is late or not beside others of its size: a
 * long prompt's prefill is no failure.
 */
export class TtftQuantiles {
  readonly #counts = new Float64Array(SIZE_CLASSES * TIME_CLASSES);
  readonly #totals = new Float64Array(SIZE_CLASSES);

  saw(promptTokens: number, ttftMs: number): void {
    const size = sizeClass(promptTokens);
    const at = size * TIME_CLASSES + timeClass(ttftMs);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    const total = (this.#totals[size] ?? 0) + 1;
    this.#totals[size] = total;
    if (total >= COUNT_MAX) this.#forgetHalf(size);
  }

  /** The time, in milliseconds, within which the share `quantile` of prompts of this size had their first token; null while fewer than `countMin` are known. */
  at(promptTokens: number, quantile: number, countMin: number): number | null {
    const size = sizeClass(promptTokens);
    const total = this.#totals[size] ?? 0;
    if (total < countMin) return null;
    let sum = 0;
    for (let time = 0; time < TIME_CLASSES; time += 1) {
      sum += this.#counts[size * TIME_CLASSES + time] ?? 0;
      if (sum >= total * quantile) return Math.exp((time + 1) * TIME_STEP);
    }
    return Math.exp(TIME_CLASSES * TIME_STEP);
  }

  #forgetHalf(size: number): void {
    for (let at = size * TIME_CLASSES; at < (size + 1) * TIME_CLASSES; at += 1) this.#counts[at] = (this.#counts[at] ?? 0) / 2;
    this.#totals[size] = (this.#totals[size] ?? 0) / 2;
  }
}

function sizeClass(promptTokens: number): number {
  return Math.min(SIZE_CLASSES - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, promptTokens)))));
}

function timeClass(ttftMs: number): number {
  return Math.min(TIME_CLASSES - 1, Math.max(0, Math.floor(Math.log(Math.max(1, ttftMs)) / TIME_STEP)));
}
