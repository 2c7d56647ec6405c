import type { Cancel, Clock, Logger } from '../core/index.ts';
import type { EngineAdapter, EngineLoad } from '../engine/index.ts';
import type { NodeCounters } from './counters.ts';
import { isReportDue, nextAskMs, type LoadRate } from './load-report.ts';

export interface LoadPollDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly adapter: EngineAdapter;
  readonly counters: NodeCounters;
  readonly rate: LoadRate;
  /** Attempts of this node in the engine. */
  inFlight(): number;
}

export interface LoadPollEvents {
  /** The engine is about to be asked: attempts given to it after this are not in the answer. */
  onAsk(): void;
  /** A load worth reporting, taken at `takenAtMs` of the monotonic clock. */
  onReport(load: EngineLoad, takenAtMs: number): void;
}

/**
 * Asks the engine for its load, often while it works and seldom while it idles, and passes on what is worth a report.
 * Work that begins or ends at an idle engine brings the next question forward.
 */
export class LoadPoll {
  readonly #deps: LoadPollDeps;
  readonly #events: LoadPollEvents;
  readonly #sent = new Map<number, { readonly load: EngineLoad; readonly atMs: number }>();
  #isOn = false;
  #isAsking = false;
  #isBusy = false;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #cancel: Cancel = () => {};

  constructor(deps: LoadPollDeps, events: LoadPollEvents) {
    const { loadMsMin, loadMsMax } = deps.rate;
    const least = Math.max(loadMsMin, deps.adapter.loadMsMin);
    this.#deps = { ...deps, rate: { loadMsMin: least, loadMsMax: Math.max(least, loadMsMax) } };
    this.#events = events;
  }

  /** Starts afresh: the next answer is reported whatever it is. */
  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#sent.clear();
    if (!this.#isAsking) void this.#ask();
  }

  stop(): void {
    this.#isOn = false;
    this.#cancel();
  }

  /** An attempt began or ended. */
  nudge(): void {
    if (!this.#isOn || this.#isBusy || this.#isAsking) return;
    this.#isBusy = true;
    this.#askIn(Math.max(0, this.#askedAtMs + this.#deps.rate.loadMsMin - this.#deps.clock.now()));
  }

  #askIn(delayMs: number): void {
    this.#cancel();
    this.#cancel = this.#deps.clock.after(delayMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const { clock, log, adapter, counters, rate } = this.#deps;
    this.#isAsking = true;
    const takenAtMs = clock.now();
    this.#events.onAsk();
    try {
      const loads = await adapter.readLoad();
      this.#isBusy = loads.some((load) => load.running > 0 || load.queued > 0) || this.#deps.inFlight() > 0;
      if (this.#isOn) for (const load of loads) this.#consider(load, takenAtMs);
    } catch (error) {
      counters.loadPollsFailed += 1;
      log.debug({ error }, 'the engine did not tell its load');
    }
    this.#isAsking = false;
    this.#askedAtMs = clock.now();
    if (this.#isOn) this.#askIn(nextAskMs(rate, this.#isBusy));
  }

  #consider(load: EngineLoad, takenAtMs: number): void {
    const { clock, counters, rate } = this.#deps;
    const now = clock.now();
    const sent = this.#sent.get(load.rank);
    if (!isReportDue(load, sent?.load ?? null, now - (sent?.atMs ?? 0), rate, this.#isBusy)) return;
    this.#sent.set(load.rank, { load, atMs: now });
    counters.loadReports += 1;
    this.#events.onReport(load, takenAtMs);
  }
}
