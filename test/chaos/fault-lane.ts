import type { Socket } from 'node:net';
import { endOfTurn, seededRng, type Cancel, type Clock, type Rng } from '../../src/core/index.ts';

/** What is wrong with one direction of a line. A change reaches the bytes that are under way as well. */
export interface Toxics {
  /** Added to the way of each piece and of the end, and up to so much more by chance; order is kept. */
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  /** A line that was idle lets the bytes of 10 ms through at once. */
  readonly bytesPerS?: number;
  /** Pieces of 1 to so many bytes, each written by itself in a turn of the event loop of its own. */
  readonly sliceBytesMax?: number;
  /** Nothing gets through, and the connection stays; the sender is held back once 1 MiB waits. */
  readonly isStalled?: boolean;
  /**
   * What comes is lost, and the sender is never held back. No later byte may follow a lost one, so the connection is reset
   * once this is over.
   */
  readonly isBlackHole?: boolean;
}

/** What a proxy takes time and chance from. */
export interface World {
  readonly clock: Clock;
  readonly rng: Rng;
}

/** What a lane tells the line it belongs to. */
export interface LaneEvents {
  /** So many bytes have been handed to the system. */
  readonly onBytes: (count: number) => void;
  /** Bytes were lost that the receiver would have to get now. */
  readonly onHole: () => void;
}

/** A piece without bytes is the end of the stream. */
interface Piece {
  readonly bytes: Buffer;
  readonly cameAtMs: number;
  /** Its share of the jitter, from 0 to 1. */
  readonly chance: number;
}

/** Bytes under way in one direction before the sender is held back; one read of at most 64 KiB may go beyond it. */
const BYTES_MAX = 1 << 20;
const BURST_MS = 10;
const SEEDS = 2 ** 32;

/** One direction of one connection: takes bytes from `from` and gives them to `to`, as its toxics have it. */
export class FaultLane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #clock: Clock;
  /** Of its own, so that what happens on one line does not depend on what others carry. */
  readonly #rng: Rng;
  readonly #toxics: () => Toxics;
  readonly #events: LaneEvents;
  readonly #queue: Piece[] = [];
  #queuedBytes = 0;
  #passedBytes = 0;
  #freeAtMs = 0;
  #isWriting = false;
  #isStalled = false;
  #hasHole = false;
  /** The end has passed, or the lane was shut: nothing more will be written. */
  #isOver = false;
  #onOver: () => void = () => {};
  #cut: { readonly atBytes: number; readonly act: () => void } | null = null;
  #cancel: Cancel = () => {};

  constructor(from: Socket, to: Socket, { clock, rng }: World, toxics: () => Toxics, events: LaneEvents) {
    this.#from = from;
    this.#to = to;
    this.#clock = clock;
    this.#rng = seededRng(Math.floor(rng.next() * SEEDS));
    this.#toxics = toxics;
    this.#events = events;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('end', () => this.#take(Buffer.alloc(0)));
  }

  /** Does `act` once exactly `afterBytes` more have passed, and lets no byte more through before. Takes the place of an earlier cut. */
  cutAfter(afterBytes: number, act: () => void): void {
    this.#cut = { atBytes: this.#passedBytes + afterBytes, act };
    this.#pump();
  }

  /** Passes nothing more until it is healed. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Takes away cuts and stalls that are this lane's own. */
  heal(): void {
    this.#cut = null;
    this.#isStalled = false;
    this.changed();
  }

  /** To be called when the toxics have changed. */
  changed(): void {
    this.#freeAtMs = 0;
    const isBlackHole = this.#toxics().isBlackHole === true;
    if (isBlackHole) this.#from.resume();
    else if (this.#hasHole) this.#events.onHole();
    this.#pump();
  }

  /** Ends the stream here: what waits and what still comes is thrown away, and the sender is not held back. */
  shut(): void {
    this.#cut = null;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#from.resume();
    if (!this.#isOver) this.#end();
  }

  /** Does `act` once nothing more will be written: now, if that is so already. */
  whenOver(act: () => void): void {
    if (this.#isOver) act();
    else this.#onOver = act;
  }

  #take(bytes: Buffer): void {
    if (this.#isOver) return;
    if (this.#toxics().isBlackHole === true) {
      this.#hasHole = true;
      return;
    }
    this.#queue.push({ bytes, cameAtMs: this.#clock.now(), chance: this.#rng.next() });
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > BYTES_MAX) this.#from.pause();
    this.#pump();
  }

  /** Goes on as far as it may now; called whenever that may have changed. */
  #pump(): void {
    this.#cancel();
    const { isStalled, isBlackHole } = this.#toxics();
    if (this.#isWriting || this.#isOver || this.#to.destroyed) return;
    if (this.#isStalled || isStalled === true || isBlackHole === true || this.#hasHole) return;
    if (this.#cut !== null && this.#passedBytes >= this.#cut.atBytes) return this.#act(this.#cut.act);
    const [next] = this.#queue;
    if (next === undefined) return;
    const now = this.#clock.now();
    const dueMs = this.#dueMs(next);
    if (dueMs > now) this.#cancel = this.#clock.after(dueMs - now, () => this.#pump());
    else if (next.bytes.length === 0) this.#end();
    else this.#pass(next, now);
  }

  /** By the toxics of now; a piece that is due before the one ahead of it waits for it in the queue. */
  #dueMs({ bytes, cameAtMs, chance }: Piece): number {
    const { latencyMs = 0, jitterMs = 0, bytesPerS } = this.#toxics();
    const arrivesAtMs = cameAtMs + latencyMs + jitterMs * chance;
    return bytesPerS === undefined || bytes.length === 0 ? arrivesAtMs : Math.max(arrivesAtMs, this.#freeAtMs);
  }

  #act(act: () => void): void {
    this.#cut = null;
    act();
  }

  #end(): void {
    this.#cancel();
    this.#isOver = true;
    this.#to.end();
    this.#onOver();
  }

  /** Writes as much of the first piece as may go at once; what is left of it stays the first. */
  #pass(piece: Piece, now: number): void {
    const { sliceBytesMax, bytesPerS } = this.#toxics();
    const length = Math.min(piece.bytes.length, this.#bytesAtOnce(sliceBytesMax, bytesPerS));
    if (length === piece.bytes.length) this.#queue.shift();
    else this.#queue[0] = { ...piece, bytes: piece.bytes.subarray(length) };
    this.#queuedBytes -= length;
    this.#passedBytes += length;
    if (bytesPerS !== undefined) this.#freeAtMs = Math.max(now - BURST_MS, this.#freeAtMs) + (length * 1_000) / bytesPerS;
    if (this.#queuedBytes <= BYTES_MAX) this.#from.resume();
    this.#isWriting = true;
    this.#to.write(piece.bytes.subarray(0, length), (error) => {
      if (error != null) return;
      this.#events.onBytes(length);
      if (sliceBytesMax === undefined) this.#written();
      else endOfTurn(() => this.#written());
    });
  }

  #bytesAtOnce(sliceBytesMax: number | undefined, bytesPerS: number | undefined): number {
    const slice = sliceBytesMax === undefined ? Infinity : 1 + Math.floor(this.#rng.next() * sliceBytesMax);
    const burst = bytesPerS === undefined ? Infinity : Math.max(1, Math.floor((bytesPerS * BURST_MS) / 1_000));
    const beforeCut = this.#cut === null ? Infinity : this.#cut.atBytes - this.#passedBytes;
    return Math.min(slice, burst, beforeCut);
  }

  #written(): void {
    this.#isWriting = false;
    this.#pump();
  }
}
