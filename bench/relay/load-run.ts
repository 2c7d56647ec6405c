import { setTimeout as sleep } from 'node:timers/promises';
import { JsonCheck, StreamCheck } from './answer-check.ts';
import { LoadConnection, type Outcome } from './load-connection.ts';
import type { Job, LoadResult, Percentiles, Target, Watched } from './load-job.ts';
import { requestText } from './load-requests.ts';
import { cpuNs } from './process-usage.ts';
import { percentile } from '../statistics.ts';

/** Of every so many streams one is read in full. */
const TEXT_CHECK_EVERY = 16;
const RETRY_AFTER_FAULT_MS = 50;
/** Streams still open at the end get this long before they count as errors. */
const DRAIN_MS = 15_000;
const ERROR_SAMPLES = 3;

interface Client {
  readonly connection: LoadConnection;
  readonly request: string;
}

/** Puts one job's load on the targets and reports what the window held. */
export async function runLoad(job: Job, targets: readonly Target[], watched: Watched): Promise<LoadResult> {
  const run = new LoadRun(job, targets);
  const feeding = run.begin();
  await sleep(job.rampMs + job.warmUpMs);
  const before = usage(watched);
  run.openWindow();
  await sleep(job.windowMs);
  run.closeWindow();
  const after = usage(watched);
  await run.drain();
  await feeding;
  return {
    ...run.tally(),
    windowMs: after.atMs - before.atMs,
    cpuNs: {
      proxy: after.proxy - before.proxy,
      nodes: after.nodes - before.nodes,
      engine: after.engine - before.engine,
      load: after.load - before.load,
    },
  };
}

/** The clients of one job and what came of their requests. */
class LoadRun {
  readonly #job: Job;
  readonly #clients: readonly Client[];
  #isFeeding = true;
  #isInWindow = false;
  #requests = 0;
  #finished = 0;
  #errors = 0;
  #reads = 0;
  readonly #errorSamples: string[] = [];
  readonly #latenciesMs: number[] = [];
  readonly #firstTokensMs: number[] = [];

  constructor(job: Job, targets: readonly Target[]) {
    this.#job = job;
    this.#clients = Array.from({ length: job.connections }, (_, index) => {
      const target = targets[index % targets.length];
      if (target === undefined) throw new Error('There is no target to send to.');
      return { connection: new LoadConnection(target), request: requestText(target, job.request) };
    });
  }

  /** Resolves when no request will be started any more. */
  async begin(): Promise<void> {
    if (this.#job.requestsPerSecond !== undefined) return this.#sendAtRate(1000 / this.#job.requestsPerSecond);
    const startMs = performance.now();
    for (const [index, client] of this.#clients.entries()) {
      const dueMs = startMs + (this.#job.rampMs * index) / this.#clients.length;
      if (dueMs > performance.now()) await sleep(dueMs - performance.now());
      this.#sendOnAndOn(client);
    }
  }

  openWindow(): void {
    this.#isInWindow = true;
  }

  closeWindow(): void {
    this.#isInWindow = false;
    this.#isFeeding = false;
  }

  /** Lets what is open end; what does not is an error. */
  async drain(): Promise<void> {
    const untilMs = performance.now() + DRAIN_MS;
    const isAnyBusy = (): boolean => this.#clients.some((client) => client.connection.isBusy);
    while (isAnyBusy() && performance.now() < untilMs) await sleep(20);
    for (const { connection } of this.#clients) {
      if (connection.isBusy) this.#countFault('the answer did not end');
      connection.close();
    }
  }

  tally(): Pick<LoadResult, 'finished' | 'errors' | 'errorSamples' | 'latencyMs' | 'firstTokenMs' | 'readsPerAnswer'> {
    return {
      finished: this.#finished,
      errors: this.#errors,
      errorSamples: this.#errorSamples,
      latencyMs: percentiles(this.#latenciesMs),
      firstTokenMs: percentiles(this.#firstTokensMs),
      readsPerAnswer: this.#reads / this.#finished,
    };
  }

  #sendOnAndOn(client: Client): void {
    this.#send(client, (outcome) => {
      if (!this.#isFeeding) return;
      if (outcome.fault === undefined) this.#sendOnAndOn(client);
      else setTimeout(() => this.#isFeeding && this.#sendOnAndOn(client), RETRY_AFTER_FAULT_MS);
    });
  }

  /** Each request goes to the next idle connection in turn; when all are busy, that turn is left out. */
  async #sendAtRate(periodMs: number): Promise<void> {
    let dueMs = performance.now();
    let turn = 0;
    while (this.#isFeeding) {
      const client = this.#clients[turn % this.#clients.length];
      turn += 1;
      if (client !== undefined && !client.connection.isBusy) this.#send(client, () => {});
      dueMs += periodMs;
      await sleep(Math.max(0, dueMs - performance.now()));
    }
  }

  #send(client: Client, onEnd: (outcome: Outcome) => void): void {
    const isStream = this.#job.request === 'stream';
    const check = isStream ? new StreamCheck(this.#requests % TEXT_CHECK_EVERY === 0) : new JsonCheck();
    this.#requests += 1;
    client.connection.send(client.request, check, (outcome) => {
      this.#count(outcome);
      onEnd(outcome);
    });
  }

  #count(outcome: Outcome): void {
    if (outcome.fault !== undefined) return this.#countFault(outcome.fault);
    if (!this.#isInWindow) return;
    this.#finished += 1;
    this.#reads += outcome.reads;
    this.#latenciesMs.push(outcome.latencyMs);
    this.#firstTokensMs.push(outcome.firstTokenMs);
  }

  #countFault(fault: string): void {
    this.#errors += 1;
    if (this.#errorSamples.length < ERROR_SAMPLES) this.#errorSamples.push(fault);
  }
}

function percentiles(values: readonly number[]): Percentiles {
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) };
}

function usage(watched: Watched): { atMs: number; proxy: number; nodes: number; engine: number; load: number } {
  const { user, system } = process.cpuUsage();
  return {
    atMs: performance.now(),
    proxy: cpuNs(watched.proxy),
    nodes: cpuNs(watched.nodes),
    engine: cpuNs(watched.engine),
    load: (user + system) * 1000,
  };
}
