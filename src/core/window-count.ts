const PARTS = 10;

/** How often something happened within the last `windowMs`, kept in ten parts that are forgotten one after the other. */
export class WindowCount {
  readonly #partMs: number;
  readonly #counts = new Float64Array(PARTS);
  #newest = 0;

  constructor(windowMs: number) {
    this.#partMs = windowMs / PARTS;
  }

  add(now: number): void {
    this.#moveOn(now);
    const part = this.#newest % PARTS;
    this.#counts[part] = (this.#counts[part] ?? 0) + 1;
  }

  at(now: number): number {
    this.#moveOn(now);
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  clear(): void {
    this.#counts.fill(0);
  }

  #moveOn(now: number): void {
    const part = Math.floor(now / this.#partMs);
    for (let i = Math.max(this.#newest + 1, part - PARTS + 1); i <= part; i += 1) this.#counts[i % PARTS] = 0;
    this.#newest = Math.max(this.#newest, part);
  }
}
