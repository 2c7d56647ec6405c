import { PRIORITIES, type Priority } from '../core/index.ts';

/** From what a class is refused on. */
export interface OverloadMarks {
  /** How late timers of the process fire. */
  readonly delayMs: number;
  /** Shares of what there is, 0 to 1. */
  readonly heapShare: number;
  readonly inFlightShare: number;
}

export interface OverloadOptions extends Readonly<Record<Priority, OverloadMarks>> {
  /** How long things must be better before a class is let in again, one after the other. */
  readonly calmMs: number;
}

export interface OverloadSample {
  readonly delayMs: number;
  readonly heapShare: number;
}

/** Least worthy first: the order in which classes are refused. */
const ORDER = PRIORITIES.toReversed();

/**
 * Which classes a process that has too much to do refuses: batch first, critical last. It refuses at once, and lets the
 * classes in again one by one once it has been better for a while, so that it does not swing.
 */
export class Overload {
  #options: OverloadOptions;
  /** How many classes are refused, least worthy first. */
  #level = 0;
  #delayMs = 0;
  #calmSinceMs: number | null = null;

  constructor(options: OverloadOptions) {
    this.#options = options;
  }

  /** Other marks from now on. */
  reconfigure(options: OverloadOptions): void {
    this.#options = options;
  }

  /** 0: none is refused; as many as there are classes: all are. */
  get level(): number {
    return this.#level;
  }

  /** How late timers fired when it was last looked. */
  get delayMs(): number {
    return this.#delayMs;
  }

  get refusesAll(): boolean {
    return this.#level === ORDER.length;
  }

  /** How things are now. */
  saw(sample: OverloadSample, now: number): void {
    this.#delayMs = sample.delayMs;
    const level = ORDER.filter((priority) => isOver(sample, this.#options[priority])).length;
    if (level >= this.#level) {
      this.#level = level;
      this.#calmSinceMs = null;
      return;
    }
    this.#calmSinceMs ??= now;
    if (now - this.#calmSinceMs < this.#options.calmMs) return;
    this.#level -= 1;
    this.#calmSinceMs = now;
  }

  /** Whether a request of this class is refused, with `inFlightShare` of the requests under way that may be. */
  refuses(priority: Priority, inFlightShare: number): boolean {
    return ORDER.indexOf(priority) < this.#level || inFlightShare >= this.#options[priority].inFlightShare;
  }
}

function isOver({ delayMs, heapShare }: OverloadSample, marks: OverloadMarks): boolean {
  return delayMs >= marks.delayMs || heapShare >= marks.heapShare;
}
