const WEIGHT = 0.1;
const HALF_LIFE_MS = 30_000;

/** The share of attempts that failed lately: an exponentially weighted mean, half forgotten every 30 s. */
export class FailureRate {
  #rate = 0;
  #atMs = 0;

  at(now: number): number {
    return this.#rate === 0 ? 0 : this.#rate * 2 ** (-Math.max(0, now - this.#atMs) / HALF_LIFE_MS);
  }

  saw(isFailure: boolean, now: number): void {
    const before = this.at(now);
    this.#rate = before + WEIGHT * ((isFailure ? 1 : 0) - before);
    this.#atMs = now;
  }
}
