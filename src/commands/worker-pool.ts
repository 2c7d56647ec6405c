import { InTurn, wait, type Clock, type Logger } from '../core/index.ts';
import { WorkerProcess, type WorkerUrls } from './worker-process.ts';

export interface WorkerPoolOptions {
  /** The worker's program, and what it is told before its slot. */
  readonly program: string;
  readonly args: readonly string[];
  readonly workers: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const BACKOFF_MS_MIN = 250;
const BACKOFF_MS_MAX = 10_000;
/** A worker that lived so long begins its waits anew. */
const STABLE_MS = 60_000;

/**
 * Keeps so many workers running. There is one slot more than workers: in a rolling restart the next worker starts in the free one, and the
 * one it is for goes once it serves; that one's slot is free then.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #turns = new InTurn();
  #isStopping = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Starts all of them; rejects with the reason of the first that cannot. */
  async start(): Promise<readonly WorkerUrls[]> {
    const urls: WorkerUrls[] = [];
    // The first one makes what all share: the secrets, the tables.
    for (let slot = 0; slot < this.#options.workers; slot += 1) urls.push(await this.#start(slot).up);
    return urls;
  }

  /** One after the other is replaced, and none leaves before its replacement serves. Rejects when one cannot be replaced; those there are go on. */
  restart(): Promise<void> {
    return this.#turns.run(async () => {
      const { log, workers } = this.#options;
      log.info({ workers }, 'rolling restart begins');
      for (const worker of this.#workers.values().toArray()) {
        if (this.#isStopping) return;
        const next = this.#start(this.#freeSlot());
        await next.up;
        await Promise.race([next.ready, next.ended.then((how) => Promise.reject(new Error(`worker ${next.slot} ended (${how})`)))]);
        this.#workers.delete(worker.slot);
        worker.signal('SIGTERM');
        await worker.ended;
        log.info({ slot: worker.slot, by: next.slot }, 'a worker is replaced');
      }
      log.info({ workers }, 'rolling restart is done');
    });
  }

  signal(signal: NodeJS.Signals): void {
    for (const worker of this.#workers.values()) worker.signal(signal);
  }

  /** All finish what they have. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.signal('SIGTERM');
    await Promise.all([...this.#workers.values()].map(({ ended }) => ended));
  }

  #start(slot: number, backoffMs = BACKOFF_MS_MIN): WorkerProcess {
    const { program, args, clock, log } = this.#options;
    const worker = new WorkerProcess(program, args, slot);
    const startedAtMs = clock.now();
    this.#workers.set(slot, worker);
    let isUp = false;
    worker.up.then(
      ({ adminUrl }) => {
        isUp = true;
        log.info({ slot, pid: worker.pid, adminUrl }, 'a worker is up');
      },
      () => {},
    );
    void worker.ended.then(async (how) => {
      if (this.#workers.get(slot) !== worker || this.#isStopping) return;
      this.#workers.delete(slot);
      // One that never was up is the caller's concern: what is wrong with it is wrong with the next one.
      if (!isUp && backoffMs === BACKOFF_MS_MIN) return;
      const waitMs = clock.now() - startedAtMs > STABLE_MS ? BACKOFF_MS_MIN : backoffMs;
      log.error({ slot, how, waitMs }, 'a worker ended by itself; it is started again');
      await wait(clock, waitMs);
      if (!this.#isStopping && !this.#workers.has(slot)) this.#start(slot, Math.min(BACKOFF_MS_MAX, 2 * waitMs));
    });
    return worker;
  }

  #freeSlot(): number {
    let slot = 0;
    while (this.#workers.has(slot)) slot += 1;
    return slot;
  }
}
