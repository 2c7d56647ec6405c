import { fork, type ChildProcess, type SendHandle } from 'node:child_process';
import type { ListeningSocket } from '../app.ts';
import { MeridianError } from '../core/index.ts';
import type { FromWorker, Seated, ToWorker, WorkerOrder } from './worker-messages.ts';

/** How a worker ended. */
export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A seat that a worker has opened. */
export interface OpenedSeat {
  readonly url: string;
  readonly port: number;
  readonly socket: ListeningSocket;
}

type Up = Extract<FromWorker, { readonly kind: 'up' }>;

/** One worker as the process that supervises it has it. */
export class WorkerProcess {
  readonly slot: number;
  /** Resolves once it is up; rejects with what is wrong when it ends before. */
  readonly up: Promise<Up>;
  /** Resolves when it has ended, in whatever way. */
  readonly ended: Promise<WorkerEnd>;
  readonly #child: ChildProcess;
  readonly #up = Promise.withResolvers<Up>();
  readonly #seats = new Map<number, (seated: Seated, socket: ListeningSocket | undefined) => void>();
  #refuse: (error: Error) => void = () => {};
  #state = { isReady: false, serving: 0 };
  #hasEnded = false;

  constructor(program: string, order: WorkerOrder) {
    this.slot = order.slot;
    // Ctrl-C reaches the whole group of a terminal; workers are told by this process instead.
    this.#child = fork(program, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true });
    this.up = this.#up.promise;
    this.up.catch(() => {});
    this.ended = this.#whenEnded();
    this.#child.on('message', (message, socket) => this.#onMessage(message as FromWorker, socket));
    this.#child.send(order);
  }

  get isReady(): boolean {
    return this.#state.isReady && !this.#hasEnded;
  }

  /** Replicas that serve it. */
  get serving(): number {
    return this.#state.serving;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Has it open a seat at `port`; rejects with the worker's reason. */
  open(seat: number, port: number): Promise<OpenedSeat> {
    return this.#seat(seat, { kind: 'open', seat, port }, undefined, ({ opened }, socket) => {
      if (opened === null || socket === undefined) throw new MeridianError('internal_error', { message: 'A worker opened a seat without its socket.' });
      return { ...opened, socket };
    });
  }

  /** Has it listen at a seat; rejects with the worker's reason. */
  take(seat: number, socket: ListeningSocket): Promise<void> {
    return this.#seat(seat, { kind: 'take', seat }, socket, () => {});
  }

  leave(seat: number): void {
    this.#send({ kind: 'leave', seat });
  }

  reload(): void {
    this.#send({ kind: 'reload' });
  }

  /** Another one has its place: it finishes what it has, and ends. */
  handOver(): void {
    this.#send({ kind: 'hand over' });
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) this.#child.kill(signal);
  }

  async #whenEnded(): Promise<WorkerEnd> {
    const child = this.#child;
    // What it said last is read before the channel is closed.
    const isSilent = new Promise((resolve) => child.once('disconnect', resolve));
    const end = await new Promise<WorkerEnd>((resolve) => {
      child.once('exit', (code, signal) => {
        this.#hasEnded = true;
        resolve({ code, signal });
      });
      child.on('error', (error) => {
        this.#fail(error.message);
        if (child.pid === undefined) resolve({ code: null, signal: null });
      });
    });
    if (child.connected) await isSilent;
    this.#hasEnded = true;
    this.#fail(`a worker ended by itself (${end.signal ?? `exit code ${end.code}`})`);
    return end;
  }

  #seat<Result>(seat: number, message: ToWorker, socket: ListeningSocket | undefined, read: (seated: Seated, socket: ListeningSocket | undefined) => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) return reject(new MeridianError('internal_error', { message: 'A worker that has ended takes no seat.' }));
      this.#refuse = reject;
      this.#seats.set(seat, (seated, opened) => {
        this.#seats.delete(seat);
        resolve(read(seated, opened));
      });
      this.#send(message, socket);
    });
  }

  #onMessage(message: FromWorker, socket: unknown): void {
    switch (message.kind) {
      case 'up':
        return this.#up.resolve(message);
      case 'failed':
        return this.#fail(message.message);
      case 'state':
        this.#state = message;
        return;
      case 'seated':
        return this.#seats.get(message.seat)?.(message, socket as ListeningSocket | undefined);
    }
  }

  #fail(message: string): void {
    const error = new MeridianError('conflict', { message });
    this.#up.reject(error);
    this.#refuse(error);
  }

  #send(message: ToWorker, socket?: ListeningSocket): void {
    // One that is ending cannot be told anything; that it has ended is seen elsewhere.
    if (this.#child.connected) this.#child.send(message, socket as SendHandle, {}, () => {});
  }
}
