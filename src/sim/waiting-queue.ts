import type { EngineRun } from './engine-run.ts';

/** Runs that wait for a seat and for room, first come, first served, or by priority; keeps the sums of their tokens. */
export class WaitingQueue {
  readonly #runs: EngineRun[] = [];
  readonly #byPriority: boolean;
  #promptTokens = 0;
  #uncachedTokens = 0;

  constructor(byPriority: boolean) {
    this.#byPriority = byPriority;
  }

  get length(): number {
    return this.#runs.length;
  }

  get first(): EngineRun | undefined {
    return this.#runs[0];
  }

  get runs(): readonly EngineRun[] {
    return this.#runs;
  }

  get promptTokens(): number {
    return this.#promptTokens;
  }

  /** Prompt tokens less those expected in the cache. */
  get uncachedTokens(): number {
    return this.#uncachedTokens;
  }

  add(run: EngineRun): void {
    let at = this.#runs.length;
    if (this.#byPriority) {
      while (at > 0 && (this.#runs[at - 1]?.job.priority ?? 0) < (run.job.priority ?? 0)) at -= 1;
    }
    this.#runs.splice(at, 0, run);
    this.#count(run, 1);
  }

  /** Call before the run's expected cache hits become its real ones. */
  remove(run: EngineRun): void {
    const at = this.#runs.indexOf(run);
    if (at < 0) return;
    this.#runs.splice(at, 1);
    this.#count(run, -1);
  }

  #count(run: EngineRun, sign: 1 | -1): void {
    this.#promptTokens += sign * run.job.promptTokens;
    this.#uncachedTokens += sign * (run.job.promptTokens - run.cachedTokens);
  }
}
