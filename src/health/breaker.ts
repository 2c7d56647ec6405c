import { WindowCount, type Rng } from '../core/index.ts';

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failuresMax: number;
  /** It also opens below this share of successes within `windowMs`, once so many attempts ended there. */
  readonly successRateMin: number;
  readonly windowMs: number;
  readonly attemptsMin: number;
  /** First time open; doubles with each opening, and halves again for each `windowMs` it stays closed. */
  readonly openMs: number;
  readonly openMsMax: number;
  /** Attempts that are let through when the time is over; all of them must show progress before it closes. */
  readonly probes: number;
  /** A probe that shows nothing for so long makes way for another one. */
  readonly probeMs: number;
}

export type BreakerState =
  | { readonly kind: 'closed'; readonly sinceMs: number; readonly failures: number; readonly openings: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly openings: number }
  | { readonly kind: 'half-open'; readonly startsMs: readonly number[]; readonly progressed: number; readonly openings: number };

/** An attempt that was let through. What it tells counts only in the state it began in: later, it is old news. */
export interface BreakerPass {
  /** Its first token came. */
  progressed(now: number): void;
  /** Its end; the only one. */
  succeeded(now: number): void;
  failed(now: number): void;
  /** It told nothing about the replica. */
  ignored(): void;
}

/**
 * Decides whether a replica may be tried: closed → open → half-open, where a few probes decide. A client's own fault and a
 * client that left are no evidence.
 */
export class Breaker {
  #options: BreakerOptions;
  readonly #rng: Rng;
  #successes: WindowCount;
  #failures: WindowCount;
  #state: BreakerState = { kind: 'closed', sinceMs: 0, failures: 0, openings: 0 };
  /** Rises whenever it opens, and whenever probing begins. */
  #era = 0;

  constructor(options: BreakerOptions, rng: Rng) {
    this.#options = options;
    this.#rng = rng;
    this.#successes = new WindowCount(options.windowMs);
    this.#failures = new WindowCount(options.windowMs);
  }

  /** Other bounds from now on; what was counted goes on to count, unless the window is another. */
  reconfigure(options: BreakerOptions): void {
    if (options.windowMs !== this.#options.windowMs) {
      this.#successes = new WindowCount(options.windowMs);
      this.#failures = new WindowCount(options.windowMs);
    }
    this.#options = options;
  }

  get state(): BreakerState {
    return this.#state;
  }

  get isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  /** Whether `tryEnter` would let an attempt through. */
  allows(now: number): boolean {
    switch (this.#state.kind) {
      case 'closed':
        return true;
      case 'open':
        return now >= this.#state.untilMs;
      case 'half-open':
        return this.#underWay(this.#state, now).length + this.#state.progressed < this.#options.probes;
    }
  }

  /** Lets an attempt through, or not: null. */
  tryEnter(now: number): BreakerPass | null {
    return this.allows(now) ? this.enter(now) : null;
  }

  /** Lets an attempt through whatever the state, because there is no better replica. */
  enter(now: number): BreakerPass {
    const state = this.#state;
    if (state.kind === 'closed') return this.#pass(null);
    const before = state.kind === 'half-open' ? state : { progressed: 0, startsMs: [] };
    const startsMs = [...this.#underWay(before, now), now];
    this.#become({ kind: 'half-open', startsMs, progressed: before.progressed, openings: state.openings });
    return this.#pass(now);
  }

  #pass(probeMs: number | null): BreakerPass {
    const era = this.#era;
    let hasProgressed = false;
    const inEra = (act: () => void): void => {
      if (era === this.#era) act();
    };
    const progressed = (now: number): void => {
      if (hasProgressed) return;
      hasProgressed = true;
      inEra(() => this.#progressed(probeMs, now));
    };
    return {
      progressed,
      succeeded: (now) => {
        progressed(now);
        inEra(() => this.#succeeded(now));
      },
      failed: (now) => inEra(() => this.#failed(now)),
      ignored: () =>
        inEra(() => {
          if (!hasProgressed) this.#leave(probeMs);
        }),
    };
  }

  /** Token progress is life: a probe's first token counts, and its end is not waited for. */
  #progressed(probeMs: number | null, now: number): void {
    if (this.#state.kind !== 'half-open') return;
    this.#leave(probeMs);
    const progressed = this.#state.progressed + 1;
    if (progressed < this.#options.probes) return this.#become({ ...this.#state, progressed });
    this.#successes.clear();
    this.#failures.clear();
    // On probation: one more failure opens it again.
    this.#become({ kind: 'closed', sinceMs: now, failures: this.#options.failuresMax - 1, openings: this.#state.openings });
  }

  #succeeded(now: number): void {
    if (this.#state.kind !== 'closed') return;
    this.#successes.add(now);
    this.#become({ ...this.#state, failures: 0 });
  }

  #failed(now: number): void {
    const state = this.#state;
    if (state.kind !== 'closed') return this.#open(now, state.openings);
    this.#failures.add(now);
    const failures = state.failures + 1;
    if (failures < this.#options.failuresMax && !this.#isRateLow(now)) return this.#become({ ...state, failures });
    const healed = Math.floor(Math.max(0, now - state.sinceMs) / this.#options.windowMs);
    this.#open(now, Math.max(0, state.openings - healed));
  }

  #isRateLow(now: number): boolean {
    const successes = this.#successes.at(now);
    const attempts = successes + this.#failures.at(now);
    return attempts >= this.#options.attemptsMin && successes < attempts * this.#options.successRateMin;
  }

  /** A probe is under way no more. */
  #leave(probeMs: number | null): void {
    if (this.#state.kind !== 'half-open' || probeMs === null) return;
    const startsMs = [...this.#state.startsMs];
    const at = startsMs.indexOf(probeMs);
    if (at >= 0) startsMs.splice(at, 1);
    this.#state = { ...this.#state, startsMs };
  }

  #underWay({ startsMs }: { readonly startsMs: readonly number[] }, now: number): number[] {
    return startsMs.filter((startMs) => now - startMs < this.#options.probeMs);
  }

  #open(now: number, openings: number): void {
    const { openMs, openMsMax } = this.#options;
    const spanMs = Math.min(openMsMax, openMs * 2 ** Math.min(openings, 30));
    const jitter = 0.5 + this.#rng.next();
    this.#become({ kind: 'open', untilMs: now + spanMs * jitter, openings: openings + 1 });
  }

  /** Probes that close the breaker go on being listened to: what they tell next is of the state they made. */
  #become(state: BreakerState): void {
    if (state.kind !== this.#state.kind && state.kind !== 'closed') this.#era += 1;
    this.#state = state;
  }
}
