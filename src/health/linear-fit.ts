export interface LinearPrior {
  readonly intercept: number;
  readonly slope: number;
  /** Where the line is held besides zero: about the largest `x` that is usual. */
  readonly atX: number;
  /** How many observations it is worth at first; a tenth of that in the end. */
  readonly weight: number;
}

const SLOPE_RANGE = 100;
/** How much sooner than an observation the prior is forgotten. */
const PRIOR_FADES = 4;

/**
 * A straight line learned as it goes: exponentially weighted least squares of `y = intercept + slope · x`, with a prior
 * that keeps it sensible while little is known or all `x` are alike. The slope stays within a factor of a hundred of
 * the prior's, and the intercept is never negative.
 */
export class LinearFit {
  readonly #prior: LinearPrior;
  readonly #keep: number;
  #priorWeight: number;
  #n: number;
  #x = 0;
  #y = 0;
  #xx = 0;
  #xy = 0;
  #slope: number;
  #intercept: number;

  /** `memory`: over how many observations the weight of one falls to a third. */
  constructor(prior: LinearPrior, memory: number) {
    this.#prior = prior;
    this.#keep = 1 - 1 / memory;
    this.#n = 0;
    this.#priorWeight = prior.weight;
    this.#slope = prior.slope;
    this.#intercept = prior.intercept;
  }

  get slope(): number {
    return this.#slope;
  }

  get intercept(): number {
    return this.#intercept;
  }

  at(x: number): number {
    return this.#intercept + this.#slope * x;
  }

  /** `weight` in 0 … 1: how much the observation is to be believed. */
  add(x: number, y: number, weight = 1): void {
    if (!Number.isFinite(x) || !Number.isFinite(y) || weight <= 0) return;
    const keep = this.#keep;
    this.#priorWeight = Math.max(this.#prior.weight / 10, this.#priorWeight * keep ** PRIOR_FADES);
    this.#n = this.#n * keep + weight;
    this.#x = this.#x * keep + weight * x;
    this.#y = this.#y * keep + weight * y;
    this.#xx = this.#xx * keep + weight * x * x;
    this.#xy = this.#xy * keep + weight * x * y;
    this.#solve();
  }

  #solve(): void {
    const { intercept, slope, atX } = this.#prior;
    const half = this.#priorWeight / 2;
    const n = this.#n + this.#priorWeight;
    const x = this.#x + half * atX;
    const y = this.#y + half * (intercept + intercept + slope * atX);
    const xx = this.#xx + half * atX * atX;
    const xy = this.#xy + half * atX * (intercept + slope * atX);
    const fitted = (n * xy - x * y) / (n * xx - x * x);
    this.#slope = Math.min(slope * SLOPE_RANGE, Math.max(slope / SLOPE_RANGE, fitted));
    this.#intercept = Math.max(0, (y - this.#slope * x) / n);
  }
}
