import { NO_USAGE, type Usage } from '../../openai/index.ts';
import type { Batch } from './journal-protocol.ts';
import { requestOfAttempt, type Adjustment, type Checkpoint, type OpenRequest, type UsageRecord } from '../usage-record.ts';
import { addUsage } from '../usage-sum.ts';

/** Who waits for something to be durable. */
export interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** A batch on its way, and who waits for it. */
export interface WaitedBatch {
  readonly batch: Batch;
  /** Events in it. */
  readonly size: number;
  /** One per record of the batch, in its order; null where nobody waits any more. */
  readonly settles: (Waiter | null)[];
  readonly flushes: Waiter[];
}

interface UnwrittenOpen {
  readonly request: OpenRequest;
  readonly sinceMs: number;
}

/**
 * Gathers what the next commit is to write. A request that is settled before its opening was written is never written
 * as open at all: most short ones are.
 */
export class JournalQueue {
  readonly #opens = new Map<string, UnwrittenOpen>();
  /** Requests written as open and not settled yet. */
  readonly #written = new Set<string>();
  readonly #checkpoints = new Map<string, Checkpoint>();
  #settles: string[] = [];
  #usage: Usage = NO_USAGE;
  #closes: string[] = [];
  #adjustments: Adjustment[] = [];
  #waiters: (Waiter | null)[] = [];
  #flushes: Waiter[] = [];
  /** Records of answers in one piece: all of their answer waits, and not only its end. */
  #urgent = 0;
  /** When the oldest record of a stream came. */
  #patientSinceMs = 0;
  /** When the oldest checkpoint or adjustment came. */
  #notesSinceMs = 0;

  get size(): number {
    return this.#opens.size + this.#checkpoints.size + this.#waiters.length + this.#adjustments.length;
  }

  open(request: OpenRequest, nowMs: number): void {
    this.#opens.set(request.requestId, { request, sinceMs: nowMs });
  }

  /** Only the latest of a request counts; one of a request that is not open is left out. */
  checkpoint(checkpoint: Checkpoint, nowMs: number): void {
    const { requestId } = checkpoint;
    if (!this.#opens.has(requestId) && !this.#written.has(requestId)) return;
    if (!this.#hasNotes()) this.#notesSinceMs = nowMs;
    this.#checkpoints.set(requestId, checkpoint);
  }

  settle(record: UsageRecord, waiter: Waiter | null, nowMs: number): void {
    const { requestId } = record;
    if (!record.streamed) this.#urgent += 1;
    else if (this.#urgent === this.#waiters.length) this.#patientSinceMs = nowMs;
    this.#opens.delete(requestId);
    this.#checkpoints.delete(requestId);
    if (this.#written.delete(requestId)) this.#closes.push(requestId);
    this.#settles.push(requestId, record.keyId, JSON.stringify(record));
    this.#usage = addUsage(this.#usage, record.usage);
    this.#waiters.push(waiter);
  }

  adjust(adjustment: Adjustment, nowMs: number): void {
    if (!this.#hasNotes()) this.#notesSinceMs = nowMs;
    this.#adjustments.push(adjustment);
  }

  flush(waiter: Waiter): void {
    this.#flushes.push(waiter);
  }

  /**
   * When the next commit is due, given when the last one began; null when there is nothing to write. At once when
   * every open request waits for it, since no other can join; else `groupMs` after the last one for an answer in one
   * piece, and after `streamGroupMs` of waiting for anything else.
   */
  dueAtMs(lastCommitMs: number, groupMs: number, streamGroupMs: number): number | null {
    if (this.#flushes.length > 0) return 0;
    if (this.#waiters.length > 0 && this.#opens.size + this.#written.size === 0) return 0;
    let dueMs = this.#urgent > 0 ? lastCommitMs + groupMs : Infinity;
    if (this.#waiters.length > this.#urgent) dueMs = Math.min(dueMs, this.#patientSinceMs + streamGroupMs);
    if (this.#hasNotes()) dueMs = Math.min(dueMs, this.#notesSinceMs + streamGroupMs);
    for (const oldest of this.#opens.values()) {
      dueMs = Math.min(dueMs, oldest.sinceMs + streamGroupMs);
      break;
    }
    return dueMs === Infinity ? null : dueMs;
  }

  /** Takes everything but the requests opened after `openedByMs`, and of those the ones something else speaks of. */
  take(openedByMs: number): WaitedBatch {
    const batch: Batch = {
      opens: this.#takeOpens(this.#flushes.length > 0 ? Infinity : openedByMs),
      checkpoints: [],
      settles: this.#settles,
      usage: this.#usage,
      closes: this.#closes,
      adjustments: this.#adjustments.flatMap((adjustment) => [adjustment.attemptId, JSON.stringify(adjustment)]),
    };
    for (const [requestId, checkpoint] of this.#checkpoints) batch.checkpoints.push(requestId, JSON.stringify(checkpoint));
    const size = batch.opens.length / 2 + this.#checkpoints.size + this.#waiters.length + this.#adjustments.length;
    const taken = { batch, size, settles: this.#waiters, flushes: this.#flushes };
    this.#checkpoints.clear();
    this.#settles = [];
    this.#usage = NO_USAGE;
    this.#closes = [];
    this.#adjustments = [];
    this.#waiters = [];
    this.#urgent = 0;
    this.#flushes = [];
    return taken;
  }

  /** Tells everybody who waits that it failed. What they wait for stays queued. */
  disappoint(error: Error): void {
    this.#waiters = disappointed(this.#waiters, error);
    for (const waiter of this.#flushes.splice(0)) waiter.reject(error);
  }

  #takeOpens(openedByMs: number): string[] {
    const fields: string[] = [];
    const take = (requestId: string): void => {
      const open = this.#opens.get(requestId);
      if (open === undefined) return;
      fields.push(requestId, JSON.stringify(open.request));
      this.#opens.delete(requestId);
      this.#written.add(requestId);
    };
    for (const [requestId, open] of this.#opens) {
      if (open.sinceMs > openedByMs) break;
      take(requestId);
    }
    for (const requestId of this.#checkpoints.keys()) take(requestId);
    for (const adjustment of this.#adjustments) take(requestOfAttempt(adjustment.attemptId));
    return fields;
  }

  #hasNotes(): boolean {
    return this.#checkpoints.size > 0 || this.#adjustments.length > 0;
  }
}

/** Rejects every waiter and leaves a gap in its place, so that records and waiters still stand side by side. */
export function disappointed(waiters: readonly (Waiter | null)[], error: Error): null[] {
  return waiters.map((waiter) => {
    waiter?.reject(error);
    return null;
  });
}
