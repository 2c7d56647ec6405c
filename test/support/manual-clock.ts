import type { Cancel, Clock } from '../../src/core/index.ts';

interface Timer {
  dueAtMs: number;
  readonly periodMs: number | null;
  readonly task: () => void;
}

/** A clock that stands still until it is told to go on; its timers then fire in order, each at its own time. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #epochMs: number;
  readonly #timers = new Set<Timer>();

  constructor(epochMs = Date.UTC(2026, 0, 1)) {
    this.#epochMs = epochMs;
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#epochMs + Math.floor(this.#nowMs);
  }

  after(delayMs: number, task: () => void): Cancel {
    return this.#add({ dueAtMs: this.#nowMs + Math.max(0, delayMs), periodMs: null, task });
  }

  every(periodMs: number, task: () => void): Cancel {
    return this.#add({ dueAtMs: this.#nowMs + periodMs, periodMs, task });
  }

  /** Lets `ms` pass; everything due by then fires. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let timer = this.#next(endMs); timer !== null; timer = this.#next(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, timer.dueAtMs);
      if (timer.periodMs === null) this.#timers.delete(timer);
      else timer.dueAtMs += timer.periodMs;
      timer.task();
    }
    this.#nowMs = endMs;
  }

  #add(timer: Timer): Cancel {
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  #next(endMs: number): Timer | null {
    let first: Timer | null = null;
    for (const timer of this.#timers) {
      if (timer.dueAtMs <= endMs && (first === null || timer.dueAtMs < first.dueAtMs)) first = timer;
    }
    return first;
  }
}
