import type { Socket } from 'node:net';
import type { Cancel, Clock, Rng } from '../../src/core/index.ts';

/** What is wrong with one direction of a line. */
export interface Toxics {
  /** Added to the way of each piece, and up to so much more by chance; order is kept. */
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  readonly bytesPerS?: number;
  /** Pieces of 1 to so many bytes, each written by itself. */
  readonly sliceBytesMax?: number;
  /** Nothing gets through, and the connection stays. */
  readonly isStalled?: boolean;
}

/** How a connection is broken: by a reset, by closing both ways, or by closing this way only. */
export type Breakage = 'reset' | 'close' | 'half-close';

interface Piece {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

/** Bytes under way in one direction before the sender is held back. */
const BYTES_MAX = 1 << 20;

/** One direction of one connection: takes bytes from `from` and gives them to `to`, as its toxics have it. */
export class FaultLane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #world: { readonly clock: Clock; readonly rng: Rng };
  readonly #toxics: () => Toxics;
  readonly #onBytes: (count: number) => void;
  readonly #queue: Piece[] = [];
  #queuedBytes = 0;
  #passedBytes = 0;
  #lastDueMs = 0;
  #freeAtMs = 0;
  #isEnded = false;
  #isBusy = false;
  #cut: { readonly atBytes: number; readonly act: () => void } | null = null;
  #cancel: Cancel = () => {};

  constructor(from: Socket, to: Socket, world: { readonly clock: Clock; readonly rng: Rng }, toxics: () => Toxics, onBytes: (count: number) => void) {
    this.#from = from;
    this.#to = to;
    this.#world = world;
    this.#toxics = toxics;
    this.#onBytes = onBytes;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('end', () => {
      this.#isEnded = true;
      this.pump();
    });
  }

  /** Does `act` once exactly `afterBytes` more have passed, and lets no byte more through. */
  cutAfter(afterBytes: number, act: () => void): void {
    this.#cut = { atBytes: this.#passedBytes + afterBytes, act };
    this.pump();
  }

  close(): void {
    this.#cancel();
    this.#queue.length = 0;
  }

  /** Goes on, after the toxics have changed or the receiver has taken what was written. */
  pump(): void {
    if (this.#isBusy || this.#to.destroyed || this.#toxics().isStalled === true) return;
    if (this.#cut !== null && this.#passedBytes >= this.#cut.atBytes) return this.#act();
    const [next] = this.#queue;
    if (next === undefined) {
      if (this.#isEnded) this.#to.end();
      return;
    }
    const now = this.#world.clock.now();
    const dueMs = Math.max(next.dueMs, this.#freeAtMs);
    if (dueMs > now) return this.#later(dueMs - now);
    this.#pass(next, now);
  }

  #act(): void {
    const { act } = this.#cut ?? { act: () => {} };
    this.#cut = null;
    act();
  }

  #take(bytes: Buffer): void {
    const { latencyMs = 0, jitterMs = 0 } = this.#toxics();
    const { clock, rng } = this.#world;
    this.#lastDueMs = Math.max(this.#lastDueMs, clock.now() + latencyMs + jitterMs * rng.next());
    this.#queue.push({ bytes, dueMs: this.#lastDueMs });
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > BYTES_MAX) this.#from.pause();
    this.pump();
  }

  /** Writes one piece, and what is left of it stays the first of the queue. */
  #pass({ bytes, dueMs }: Piece, now: number): void {
    const { sliceBytesMax, bytesPerS } = this.#toxics();
    const slice = sliceBytesMax === undefined ? bytes.length : 1 + Math.floor(this.#world.rng.next() * sliceBytesMax);
    const most = this.#cut === null ? bytes.length : this.#cut.atBytes - this.#passedBytes;
    const length = Math.min(bytes.length, slice, most);
    if (length === bytes.length) this.#queue.shift();
    else this.#queue[0] = { bytes: bytes.subarray(length), dueMs };
    this.#queuedBytes -= length;
    this.#passedBytes += length;
    this.#onBytes(length);
    if (bytesPerS !== undefined) this.#freeAtMs = Math.max(now, this.#freeAtMs) + (length * 1_000) / bytesPerS;
    if (this.#queuedBytes <= BYTES_MAX) this.#from.resume();
    this.#isBusy = true;
    // The next piece follows in a turn of its own, once this one has been handed to the system.
    this.#to.write(bytes.subarray(0, length), () => {
      this.#isBusy = false;
      this.pump();
    });
  }

  #later(delayMs: number): void {
    this.#isBusy = true;
    this.#cancel = this.#world.clock.after(delayMs, () => {
      this.#isBusy = false;
      this.pump();
    });
  }
}
