const PARTS = 10;

/** Successes and failures of the last `windowMs`, in ten parts that are forgotten one after the other. */
export class SuccessWindow {
  readonly #partMs: number;
  readonly #successes = new Uint32Array(PARTS);
  readonly #failures = new Uint32Array(PARTS);
  #newest = 0;

  constructor(windowMs: number) {
    this.#partMs = windowMs / PARTS;
  }

  saw(isSuccess: boolean, now: number): void {
    this.#moveOn(now);
    const counts = isSuccess ? this.#successes : this.#failures;
    const part = this.#newest % PARTS;
    counts[part] = (counts[part] ?? 0) + 1;
  }

  /** How many attempts ended within the window, and which share of them well: 1 when none did. */
  at(now: number): { readonly attempts: number; readonly successRate: number } {
    this.#moveOn(now);
    let successes = 0;
    let failures = 0;
    for (let i = 0; i < PARTS; i += 1) {
      successes += this.#successes[i] ?? 0;
      failures += this.#failures[i] ?? 0;
    }
    const attempts = successes + failures;
    return { attempts, successRate: attempts === 0 ? 1 : successes / attempts };
  }

  clear(): void {
    this.#successes.fill(0);
    this.#failures.fill(0);
  }

  #moveOn(now: number): void {
    const part = Math.floor(now / this.#partMs);
    if (part <= this.#newest) return;
    for (let i = Math.max(this.#newest + 1, part - PARTS + 1); i <= part; i += 1) {
      this.#successes[i % PARTS] = 0;
      this.#failures[i % PARTS] = 0;
    }
    this.#newest = part;
  }
}
