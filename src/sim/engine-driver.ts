import type { Cancel, Clock } from '../core/index.ts';
import type { EngineModel } from './engine-model.ts';

/** Somebody who waits for tokens: told after every step, until it says that it has all it wanted. */
export interface Passenger {
  /** Takes what its runs made since the last time; true once there is nothing more to come. */
  onStep(): boolean;
}

/** Below what a timer can tell, and enough that a deadline that was rounded down is past when its timer fires. */
const TIMER_SLACK_MS = 1e-6;

/**
 * Drives an engine model by a clock, `timeScale` times as fast as it. After each step every passenger is told in one
 * synchronous pass, so that the tokens of a step leave together.
 */
export class EngineDriver {
  readonly model: EngineModel;
  readonly #clock: Clock;
  readonly #timeScale: number;
  readonly #startedAtMs: number;
  readonly #passengers = new Set<Passenger>();
  #cancelTimer: Cancel | null = null;
  #isStopped = false;

  constructor(model: EngineModel, clock: Clock, timeScale: number) {
    this.model = model;
    this.#clock = clock;
    this.#timeScale = timeScale;
    this.#startedAtMs = clock.now();
  }

  /** Model time: milliseconds since the start, scaled. */
  nowMs(): number {
    return (this.#clock.now() - this.#startedAtMs) * this.#timeScale;
  }

  board(passenger: Passenger): void {
    this.#passengers.add(passenger);
    this.#schedule();
  }

  leave(passenger: Passenger): void {
    this.#passengers.delete(passenger);
  }

  /** Brings the model up to now and hands out what it made. */
  pump(): void {
    this.model.advance(this.nowMs());
    for (const passenger of this.#passengers) {
      if (passenger.onStep()) this.#passengers.delete(passenger);
    }
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#passengers.clear();
  }

  #schedule(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const nextMs = this.model.nextEventAtMs();
    if (this.#isStopped || nextMs === Infinity) return;
    const delayMs = Math.max(0, nextMs - this.nowMs()) / this.#timeScale + TIMER_SLACK_MS;
    this.#cancelTimer = this.#clock.after(delayMs, () => this.pump());
  }
}
