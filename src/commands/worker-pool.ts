import type { ListeningSocket } from '../app.ts';
import { InTurn, MeridianError, wait, type Cancel, type Clock, type Logger } from '../core/index.ts';
import { WorkerProcess } from './worker-process.ts';

export interface WorkerPoolOptions {
  /** The program of a worker. */
  readonly program: string;
  /** The configuration that each makes its own from. */
  readonly file: string;
  readonly workers: number;
  /** That they share; 0: any free one. */
  readonly publicPort: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface PoolUp {
  readonly publicUrl: string;
  readonly adminUrls: readonly string[];
  readonly fleetUrls: readonly string[];
}

/** A listening socket, and who listens at it. The pool holds it as well, so what waits in its queue outlives its worker. */
interface Seat {
  readonly index: number;
  socket: ListeningSocket | null;
  /** Whose seat it is; one that has ended is being started anew in its slot. */
  worker: WorkerProcess;
  /** Who listens there meanwhile. */
  keeper: WorkerProcess | null;
  /** Ends in a row. */
  ends: number;
  startedAtMs: number;
}

/** Before a worker that ended is started again; doubles each time. */
const BACKOFF_MS = { min: 200, max: 30_000 };
/** One that has lived so long has ended for another reason than the last one. */
const HEALED_MS = 60_000;
/** A worker that was started anew listens when it is ready, or after this: it may be that nobody is ready. */
const LISTEN_MS_MAX = 10_000;
/** How long a replacement has to become ready, and as long as half of it to have as many replicas as the one it replaces. */
const READY_MS_MAX = 60_000;
const LOOK_MS = 20;

/**
 * So many workers at one port. One that ends is started again; meanwhile another one listens at its seat. To replace a worker, the new one is
 * started in the slot that is free, and shares the seat before the old one leaves it: there is always somebody who takes a connection.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #seats: Seat[] = [];
  readonly #alive = new Set<WorkerProcess>();
  readonly #turns = new InTurn();
  readonly #restarts = new Set<Cancel>();
  #isStopping = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Starts them all. Rejects with the reason of the first one that cannot, and none is left then. */
  async start(): Promise<PoolUp> {
    const { workers, publicPort, clock } = this.#options;
    try {
      for (let index = 0; index < workers; index += 1) {
        this.#seats.push({ index, socket: null, worker: this.#fork(index), keeper: null, ends: 0, startedAtMs: clock.now() });
      }
      const ups = await Promise.all(this.#seats.map(({ worker }) => worker.up));
      let port = publicPort;
      let publicUrl = '';
      for (const seat of this.#seats) {
        const opened = await seat.worker.open(seat.index, port);
        seat.socket = opened.socket;
        ({ port, url: publicUrl } = opened);
      }
      for (const seat of this.#seats) this.#watch(seat);
      return { publicUrl, adminUrls: ups.map(({ adminUrl }) => adminUrl), fleetUrls: ups.flatMap(({ fleetUrl }) => fleetUrl ?? []) };
    } catch (error) {
      this.#isStopping = true;
      this.kill();
      await Promise.all([...this.#alive].map(({ ended }) => ended));
      throw error;
    }
  }

  /** Has every worker read the configuration again. */
  reload(): void {
    for (const worker of this.#alive) worker.reload();
  }

  /** Replaces the workers, one after the other. Rejects when one cannot be replaced; the old one goes on then, and so do those after it. */
  roll(): Promise<void> {
    return this.#turns.run(async () => {
      // The lowest slot first: the one that is left free in the end is never the first, which nodes dial.
      for (const seat of this.#seats.toSorted((a, b) => a.worker.slot - b.worker.slot)) {
        if (this.#isStopping) return;
        // One that has ended is being started anew as it is.
        if (!seat.worker.hasEnded) await this.#replace(seat);
      }
      this.#options.log.info({ slots: this.#seats.map(({ worker }) => worker.slot) }, 'all workers are replaced');
    });
  }

  /** Asks all to end when their streams have; resolves with whether they ended well. */
  async stop(): Promise<boolean> {
    this.#isStopping = true;
    for (const cancel of this.#restarts) cancel();
    const ends = [...this.#alive].map(({ ended }) => ended);
    for (const worker of this.#alive) worker.signal('SIGTERM');
    return (await Promise.all(ends)).every(({ code }) => code === 0);
  }

  /** Ends all at once. */
  kill(): void {
    for (const worker of this.#alive) worker.signal('SIGKILL');
  }

  #fork(slot: number): WorkerProcess {
    const { program, file, workers } = this.#options;
    const worker = new WorkerProcess(program, { file, slot, slots: workers + 1 });
    this.#alive.add(worker);
    void worker.ended.then(() => {
      this.#alive.delete(worker);
      this.#reseat(worker);
    });
    return worker;
  }

  async #replace(seat: Seat): Promise<void> {
    const { log } = this.#options;
    const old = seat.worker;
    const next = this.#fork(this.#freeSlot());
    log.info({ from: old.slot, to: next.slot }, 'a worker is being replaced');
    try {
      await next.up;
      await this.#ready(next, old);
      // What the old one keeps for others, too.
      for (const { index, socket } of this.#seats.filter((one) => one === seat || one.keeper === old)) if (socket !== null) await next.take(index, socket);
    } catch (error) {
      next.signal('SIGKILL');
      await next.ended;
      const why = error instanceof Error ? error.message : String(error);
      throw new MeridianError('conflict', { message: `The worker in slot ${old.slot} is not replaced, and goes on: ${why}`, cause: error });
    }
    Object.assign(seat, { worker: next, ends: 0, startedAtMs: this.#options.clock.now() });
    this.#watch(seat);
    this.#release(seat);
    for (const one of this.#seats) if (one.keeper === old) one.keeper = next;
    old.handOver();
    const { code, signal } = await old.ended;
    if (code !== 0) log.warn({ slot: old.slot, code, signal }, 'a worker that was replaced did not end well');
  }

  #freeSlot(): number {
    const taken = new Set([...this.#seats.map(({ worker }) => worker.slot), ...[...this.#alive].map(({ slot }) => slot)]);
    for (let slot = 0; slot <= this.#options.workers; slot += 1) if (!taken.has(slot)) return slot;
    throw new MeridianError('conflict', { message: 'There is no free slot: a worker that was replaced has not ended.' });
  }

  /** Resolves when it can take what `old` has. */
  async #ready(next: WorkerProcess, old: WorkerProcess): Promise<void> {
    const { clock } = this.#options;
    const startedMs = clock.now();
    for (;;) {
      if (next.hasEnded) throw new MeridianError('conflict', { message: 'its replacement ended by itself' });
      if (this.#isStopping) throw new MeridianError('conflict', { message: 'all are being stopped' });
      const waitedMs = clock.now() - startedMs;
      if (next.isReady && (next.serving >= old.serving || waitedMs > READY_MS_MAX / 2)) return;
      if (waitedMs > READY_MS_MAX) throw new MeridianError('conflict', { message: `its replacement was not ready within ${READY_MS_MAX / 1_000} s` });
      await wait(clock, LOOK_MS);
    }
  }

  /** Starts the worker of a seat again, should it end by itself. */
  #watch(seat: Seat): void {
    const { worker } = seat;
    void worker.ended.then(({ code, signal }) => {
      if (this.#isStopping || seat.worker !== worker) return;
      const { clock, log } = this.#options;
      seat.ends = clock.now() - seat.startedAtMs > HEALED_MS ? 1 : seat.ends + 1;
      const afterMs = Math.min(BACKOFF_MS.max, BACKOFF_MS.min * 2 ** (seat.ends - 1));
      log.error({ slot: worker.slot, code, signal, afterMs }, 'a worker ended by itself; it is started again');
      const cancel = clock.after(afterMs, () => {
        this.#restarts.delete(cancel);
        this.#restart(seat);
      });
      this.#restarts.add(cancel);
    });
  }

  #restart(seat: Seat): void {
    const { clock, log } = this.#options;
    const worker = this.#fork(seat.worker.slot);
    Object.assign(seat, { worker, startedAtMs: clock.now() });
    this.#watch(seat);
    const seated = async (): Promise<void> => {
      await worker.up;
      const untilMs = clock.now() + LISTEN_MS_MAX;
      while (!worker.isReady && !worker.hasEnded && clock.now() < untilMs) await wait(clock, LOOK_MS);
      if (seat.socket !== null) await worker.take(seat.index, seat.socket);
      this.#release(seat);
      log.info({ slot: worker.slot }, 'a worker that had ended serves again');
    };
    seated().catch((error: unknown) => {
      log.error({ slot: worker.slot, reason: error instanceof Error ? error.message : String(error) }, 'a worker does not start');
      // One that cannot listen is of no use; when it has ended, it is started again.
      worker.signal('SIGKILL');
    });
  }

  /** The seats at which `gone` listened get another one, until it is back. */
  #reseat(gone: WorkerProcess): void {
    for (const seat of this.#seats) {
      if (this.#isStopping || seat.socket === null || (seat.worker !== gone && seat.keeper !== gone)) continue;
      if (seat.keeper === gone) seat.keeper = null;
      if (seat.worker.isReady && seat.keeper === null && seat.worker !== gone) continue;
      const others = this.#seats.map(({ worker }) => worker).filter((worker) => worker !== gone && !worker.hasEnded);
      const keeper = others.find(({ isReady }) => isReady) ?? others[0];
      if (keeper === undefined) continue;
      seat.keeper = keeper;
      keeper.take(seat.index, seat.socket).catch((error: unknown) => this.#options.log.warn({ error }, 'a seat is not kept'));
    }
  }

  #release(seat: Seat): void {
    if (seat.keeper !== seat.worker) seat.keeper?.leave(seat.index);
    seat.keeper = null;
  }
}
