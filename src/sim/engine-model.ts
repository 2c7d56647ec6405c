import { configFaults, type EngineModelConfig } from './engine-config.ts';
import type { EngineLoad, EngineTotals } from './engine-load.ts';
import { EngineRun, type EngineJob, type EngineOutcome, type Submission } from './engine-run.ts';
import { stepMs, type Step } from './engine-step.ts';
import { KvCache, type KvCacheEvents } from './kv-cache.ts';
import { WaitingQueue } from './waiting-queue.ts';

const THROUGHPUT_WINDOW_MS = 1_000;

function ignore(): void {}

/**
 * One inference engine without clock, network or text: chunked prefill and continuous batching over a paged KV cache.
 * Time comes in as `nowMs`; the engine lives in steps, and all tokens of a step appear at its end. Room for prompt and
 * answer is taken when a run starts, so a run that started always ends. A step without arrivals or ends costs O(1).
 */
export class EngineModel {
  readonly config: EngineModelConfig;
  /** Multiplies the time of the steps that begin from now on. */
  slowdown = 1;
  readonly #cache: KvCache;
  readonly #waiting: WaitingQueue;
  readonly #prefilling: EngineRun[] = [];
  #decoding: EngineRun[] = [];
  #step: Step | null = null;
  /** Steps done so far: a decoding run has made one token per step since its first. */
  #stepsDone = 0;
  #nextFinishStep = Infinity;
  /** The first waiting run did not fit; nothing to retry until some run ends or the queue's head changes. */
  #headBlocked = false;
  #tokensPerSecond = 0;
  #begun: (run: EngineRun) => void = ignore;
  readonly #totals: EngineTotals = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, finished: 0, aborted: 0 };

  /** `events` hears of what is cached and no more. */
  constructor(config: EngineModelConfig, events?: KvCacheEvents) {
    const faults = configFaults(config);
    if (faults.length > 0) throw new RangeError(faults.join('; '));
    this.config = config;
    this.#waiting = new WaitingQueue(config.priorityScheduling);
    this.#cache = new KvCache(Math.floor(config.kvTokens / config.pageTokens), events);
  }

  /** Takes a job in, or says why not. Call `advance(nowMs)` first. */
  submit(job: EngineJob, nowMs: number): Submission {
    const total = job.promptTokens + job.outputTokens;
    if (total > this.config.contextTokens) return { kind: 'too_long', limitTokens: this.config.contextTokens };
    if (this.#pages(total) > this.#cache.capacityPages) return { kind: 'too_long', limitTokens: this.config.kvTokens };
    if (this.#waiting.length >= this.config.maxQueuedRequests + this.#freeSeats()) return { kind: 'queue_full' };
    const shared = this.#cache.match(job.pageKeys, this.#shareLimit(job)) * this.config.pageTokens;
    const run = new EngineRun(job, nowMs, shared);
    this.#waiting.add(run);
    if (this.#waiting.first === run) this.#headBlocked = false;
    if (this.#step === null) this.#startStep(nowMs);
    return { kind: 'accepted', run };
  }

  /** When the step under way ends; infinity when the engine is idle. */
  nextEventAtMs(): number {
    return this.#step?.endsAtMs ?? Infinity;
  }

  /**
   * When something other than one more token for every decoding run happens, if nothing is submitted or aborted before;
   * infinity when idle. For virtual time, where single tokens do not matter.
   */
  nextMilestoneAtMs(): number {
    const step = this.#step;
    if (step === null) return Infinity;
    const pending = step.chunks.length > 0 || (this.#waiting.length > 0 && !this.#headBlocked && this.#freeSeats() > 0);
    if (pending || this.#nextFinishStep === Infinity) return step.endsAtMs;
    const stepsLeft = this.#nextFinishStep - this.#stepsDone - 1;
    return step.endsAtMs + stepsLeft * stepMs(this.config, 0, this.#decoding.length) * this.slowdown;
  }

  /** Does all steps that end by `nowMs`; returns the runs that finished, in order. `begun` hears of first tokens. */
  advance(nowMs: number, begun: (run: EngineRun) => void = ignore): EngineRun[] {
    const finished: EngineRun[] = [];
    this.#begun = begun;
    while (this.#step !== null && this.#step.endsAtMs <= nowMs) {
      const step = this.#step;
      this.#finishStep(step, finished);
      this.#startStep(step.endsAtMs);
    }
    return finished;
  }

  /** Output tokens a run has made so far. */
  produced(run: EngineRun): number {
    switch (run.state.kind) {
      case 'decoding':
        return this.#stepsDone - run.state.beforeFirstStep;
      case 'ended':
        return run.state.produced;
      default:
        return 0;
    }
  }

  /** Stops every run whose id begins with `ridPrefix`, as SGLang does. Call `advance(nowMs)` first. */
  abort(ridPrefix: string): EngineRun[] {
    const hit = [...this.#waiting.runs, ...this.#prefilling, ...this.#decoding].filter((run) => run.job.rid.startsWith(ridPrefix));
    for (const run of hit) this.abortRun(run);
    return hit;
  }

  /** Stops one run; what it made stays counted and cached. Does nothing to a run that ended. */
  abortRun(run: EngineRun): void {
    switch (run.state.kind) {
      case 'ended':
        return;
      case 'waiting':
        this.#waiting.remove(run);
        this.#headBlocked = false;
        break;
      case 'prefilling':
        this.#prefilling.splice(this.#prefilling.indexOf(run), 1);
        break;
      case 'decoding':
        this.#decoding.splice(this.#decoding.indexOf(run), 1);
        this.#findNextFinish();
        break;
    }
    this.#end(run, 'aborted');
  }

  /** Empties the prefix cache; false, and nothing done, while requests run or wait. */
  flush(): boolean {
    if (this.#waiting.length > 0 || this.#prefilling.length > 0 || this.#decoding.length > 0) return false;
    this.#cache.clear();
    return true;
  }

  load(): EngineLoad {
    let usedTokens = 0;
    let prefillLeft = 0;
    for (const run of this.#prefilling) {
      const prefilled = run.prefilledTokens;
      usedTokens += prefilled;
      prefillLeft += run.job.promptTokens - prefilled;
    }
    for (const run of this.#decoding) usedTokens += run.job.promptTokens + this.produced(run);
    const busyPages = this.#cache.usedPages - this.#cache.evictablePages;
    const used = Math.min(usedTokens, busyPages * this.config.pageTokens);
    return {
      runningRequests: this.#prefilling.length + this.#decoding.length,
      waitingRequests: this.#waiting.length,
      waitingUncachedTokens: this.#waiting.uncachedTokens + prefillLeft,
      usedTokens: used,
      totalTokens: used + this.#waiting.promptTokens,
      reservedTokens: busyPages * this.config.pageTokens,
      cachedTokens: this.#cache.usedPages * this.config.pageTokens,
      maxTokens: this.config.kvTokens,
      maxRunningRequests: this.config.maxRunningRequests,
      tokensPerSecond: this.#decoding.length === 0 ? 0 : this.#tokensPerSecond,
      cacheHitRate: this.#totals.promptTokens === 0 ? 0 : this.#totals.cachedTokens / this.#totals.promptTokens,
    };
  }

  /** Sums since the start; prompt and cached tokens are counted when a run starts. */
  totals(): Readonly<EngineTotals> {
    return { ...this.#totals };
  }

  #startStep(nowMs: number): void {
    let budget = this.config.chunkTokens;
    const chunks: { run: EngineRun; tokens: number }[] = [];
    // A waiting run is taken up when the step has room for it, and not before: it finds what earlier steps have cached.
    for (let i = 0; budget > 0; i += 1) {
      const run = this.#prefilling[i] ?? this.#takeUpFirst();
      if (run === null) break;
      const tokens = Math.min(budget, run.job.promptTokens - run.prefilledTokens);
      budget -= tokens;
      chunks.push({ run, tokens });
    }
    const decoding = this.#decoding.length;
    if (chunks.length === 0 && decoding === 0) {
      this.#step = null;
      return;
    }
    const durationMs = stepMs(this.config, this.config.chunkTokens - budget, decoding) * this.slowdown;
    this.#step = { startedAtMs: nowMs, endsAtMs: nowMs + durationMs, chunks, decoding };
  }

  #finishStep(step: Step, finished: EngineRun[]): void {
    this.#stepsDone += 1;
    this.#measure(step);
    if (this.#stepsDone >= this.#nextFinishStep) this.#finishDecoded(finished);
    for (const { run, tokens } of step.chunks) {
      // A run that was aborted during the step is no longer prefilling.
      if (run.state.kind === 'prefilling') this.#finishChunk(run, run.state.prefilledTokens + tokens, finished);
    }
  }

  #finishChunk(run: EngineRun, prefilledTokens: number, finished: EngineRun[]): void {
    if (run.lease !== null) {
      const pages = Math.min(run.job.pageKeys.length, Math.floor(prefilledTokens / this.config.pageTokens));
      this.#cache.publish(run.lease, run.job.pageKeys, pages);
    }
    if (prefilledTokens < run.job.promptTokens) {
      run.state = { kind: 'prefilling', prefilledTokens };
      return;
    }
    this.#prefilling.splice(this.#prefilling.indexOf(run), 1);
    // The last chunk of a prompt makes the first token of its answer.
    run.state = { kind: 'decoding', beforeFirstStep: this.#stepsDone - Math.min(1, run.job.outputTokens) };
    this.#begun(run);
    if (this.produced(run) >= run.job.outputTokens) {
      this.#end(run, 'finished');
      finished.push(run);
      return;
    }
    this.#decoding.push(run);
    this.#nextFinishStep = Math.min(this.#nextFinishStep, this.#stepsDone + run.job.outputTokens - 1);
  }

  #finishDecoded(finished: EngineRun[]): void {
    const left: EngineRun[] = [];
    for (const run of this.#decoding) {
      if (this.produced(run) < run.job.outputTokens) {
        left.push(run);
        continue;
      }
      this.#end(run, 'finished');
      finished.push(run);
    }
    this.#decoding = left;
    this.#findNextFinish();
  }

  #findNextFinish(): void {
    this.#nextFinishStep = Infinity;
    for (const run of this.#decoding) {
      const finishStep = this.#stepsDone + run.job.outputTokens - this.produced(run);
      this.#nextFinishStep = Math.min(this.#nextFinishStep, finishStep);
    }
  }

  #end(run: EngineRun, outcome: EngineOutcome): void {
    const produced = this.produced(run);
    const prefilledTokens = run.prefilledTokens;
    run.state = { kind: 'ended', outcome, produced, prefilledTokens };
    this.#totals.completionTokens += produced;
    this.#totals[outcome] += 1;
    if (run.lease === null) return;
    // The last token made has not been through the model yet, so it has no KV.
    const inCache = prefilledTokens + Math.max(0, produced - 1);
    if (produced > 1 && run.job.answerPageKeys !== undefined) {
      this.#cache.publish(run.lease, run.job.answerPageKeys(inCache), Math.floor(inCache / this.config.pageTokens));
    }
    this.#cache.release(run.lease);
    run.lease = null;
    this.#headBlocked = false;
  }

  #takeUpFirst(): EngineRun | null {
    const run = this.#waiting.first;
    if (run === undefined || this.#headBlocked || this.#freeSeats() <= 0) return null;
    const { job } = run;
    const lease = this.#cache.lease(job.pageKeys, this.#shareLimit(job), this.#pages(job.promptTokens + job.outputTokens));
    if (lease === null) {
      this.#headBlocked = true;
      return null;
    }
    this.#waiting.remove(run);
    run.lease = lease;
    run.cachedTokens = lease.pages.length * this.config.pageTokens;
    run.state = { kind: 'prefilling', prefilledTokens: run.cachedTokens };
    this.#prefilling.push(run);
    this.#totals.promptTokens += job.promptTokens;
    this.#totals.cachedTokens += run.cachedTokens;
    return run;
  }

  #measure(step: Step): void {
    const durationMs = step.endsAtMs - step.startedAtMs;
    const rate = (step.decoding * 1_000) / durationMs;
    this.#tokensPerSecond += (rate - this.#tokensPerSecond) * Math.min(1, durationMs / THROUGHPUT_WINDOW_MS);
  }

  #freeSeats(): number {
    return this.config.maxRunningRequests - this.#prefilling.length - this.#decoding.length;
  }

  #pages(tokens: number): number {
    return Math.ceil(tokens / this.config.pageTokens);
  }

  /** At least one prompt token is always prefilled: its result is the first token of the answer. */
  #shareLimit(job: EngineJob): number {
    return Math.floor(Math.max(0, job.promptTokens - 1) / this.config.pageTokens);
  }
}
