import type { Cancel, Clock, Logger } from '../core/index.ts';

/**
 * One timer for all that waits in the gateway: each task is called every period with the time. Ten thousand streams
 * then cost one timer, and a token costs none.
 */
export class Sweep {
  readonly #tasks = new Set<(now: number) => void>();
  readonly #stop: Cancel;

  constructor(clock: Clock, periodMs: number, log: Logger) {
    this.#stop = clock.every(periodMs, () => {
      const now = clock.now();
      for (const task of this.#tasks) {
        try {
          task(now);
        } catch (error) {
          // One that fails would fail at each beat, and keep the others from theirs.
          this.#tasks.delete(task);
          log.error({ error }, 'a watch failed and is dropped');
        }
      }
    });
  }

  add(task: (now: number) => void): Cancel {
    this.#tasks.add(task);
    return () => this.#tasks.delete(task);
  }

  close(): void {
    this.#stop();
    this.#tasks.clear();
  }
}
