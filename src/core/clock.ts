/** Time as an argument: everything that waits or stamps gets a `Clock`; algorithms get `now` itself. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start; never goes back. For durations and deadlines. */
  now(): number;
  /** Milliseconds since the Unix epoch. For stamps that leave the process. */
  wallMs(): number;
  /** Runs `task` once after `delayMs`; returns the way to cancel it. */
  after(delayMs: number, task: () => void): Cancel;
  /** Runs `task` every `periodMs` until cancelled. */
  every(periodMs: number, task: () => void): Cancel;
}

export type Cancel = () => void;

/** The real clock. Its timers do not keep a process alive by themselves. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  every(periodMs, task) {
    const timer = setInterval(task, periodMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** Resolves after `delayMs` of `clock`, or at once when `signal` aborts. */
export function wait(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const cancel = clock.after(delayMs, done);
    function done(): void {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
}
