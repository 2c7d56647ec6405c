import { endOfTurn, MeridianError, type Cancel, type Clock, type Logger } from '../../core/index.ts';
import { disappointed, JournalQueue, type WaitedBatch } from './journal-queue.ts';
import { SETTLE_FIELDS, type Batch, type WriteReport } from './journal-protocol.ts';
import type { Adjustment, Checkpoint, OpenRequest, UsageRecord } from '../usage-record.ts';

export interface JournalWriterOptions {
  readonly groupCommitMs: number;
  readonly streamGroupCommitMs: number;
  readonly maxQueued: number;
  readonly retryMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Sends a batch to the thread, which answers with `written` or `refused`. One at a time. */
  readonly send: (batch: Batch) => void;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'writing'; readonly sent: WaitedBatch; readonly again: boolean }
  | { readonly kind: 'failed'; readonly unwritten: WaitedBatch; readonly reason: string; readonly cancelRetry: Cancel }
  | { readonly kind: 'ended'; readonly reason: string };

/** Decides when the next commit begins, and keeps what a failed one could not write until it is written. */
export class JournalWriter {
  readonly #options: JournalWriterOptions;
  readonly #queue = new JournalQueue();
  #state: State = { kind: 'idle' };
  #lastCommitMs = -Infinity;
  #turnAwaited = false;
  #cancelTimer: Cancel | null = null;
  #timerDueMs = 0;

  constructor(options: JournalWriterOptions) {
    this.#options = options;
  }

  get healthy(): boolean {
    const writable = this.#state.kind === 'idle' || (this.#state.kind === 'writing' && !this.#state.again);
    // The other half is for the records of requests that are under way.
    return writable && this.#queued() < this.#options.maxQueued / 2;
  }

  open(request: OpenRequest): void {
    if (this.#isFull('an opened request', request)) return;
    this.#queue.open(request, this.#options.clock.now());
    this.#schedule();
  }

  checkpoint(checkpoint: Checkpoint): void {
    if (this.#isFull('a checkpoint', checkpoint)) return;
    this.#queue.checkpoint(checkpoint, this.#options.clock.now());
    this.#schedule();
  }

  adjust(adjustment: Adjustment): Promise<void> {
    if (this.#isFull('a late settlement', adjustment)) return Promise.reject(unwritable('its queue is full'));
    this.#queue.adjust(adjustment, this.#options.clock.now());
    return this.flush();
  }

  settle(record: UsageRecord): Promise<void> {
    // The record goes to the log in full, so that even what finds no room is not lost.
    if (this.#isFull('a usage record', record)) return Promise.reject(unwritable('its queue is full'));
    if (this.#state.kind === 'failed' || this.#state.kind === 'ended') {
      this.#queue.settle(record, null, this.#options.clock.now());
      return Promise.reject(unwritable(this.#state.reason));
    }
    return new Promise((resolve, reject) => {
      this.#queue.settle(record, { resolve, reject }, this.#options.clock.now());
      this.#schedule();
    });
  }

  flush(): Promise<void> {
    if (this.#state.kind === 'ended') return Promise.reject(unwritable(this.#state.reason));
    if (this.#queued() === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#queue.flush({ resolve, reject });
      if (this.#state.kind === 'failed') this.#retry();
      else this.#schedule();
    });
  }

  written(report: WriteReport): void {
    if (this.#state.kind !== 'writing') return;
    const { sent, again } = this.#state;
    this.#state = { kind: 'idle' };
    if (again) this.#options.log.info({ events: sent.size }, 'The journal writes again.');
    if (report.strangers.length > 0) {
      this.#options.log.warn({ attempts: report.strangers }, 'Late settlements of requests that are not in this journal.');
    }
    for (const index of report.conflicts) this.#conflict(sent, index);
    for (const waiter of sent.settles) waiter?.resolve();
    for (const waiter of sent.flushes) waiter.resolve();
    this.#schedule();
  }

  /** The batch was not written: everybody who waits hears of it, and it is tried again until it is. */
  refused(reason: string): void {
    if (this.#state.kind !== 'writing') return;
    const { sent, again } = this.#state;
    if (!again) this.#options.log.error({ reason, events: sent.size }, 'The journal cannot be written; trying again.');
    const cancelRetry = this.#options.clock.after(this.#options.retryMs, () => this.#retry());
    const unwritten = this.#disappoint(sent, unwritable(reason));
    this.#state = { kind: 'failed', unwritten, reason, cancelRetry };
  }

  /** Nothing can be written any more. What was not is logged in full. */
  end(reason: string): void {
    if (this.#state.kind === 'ended') return;
    const last = this.#state;
    const lost = this.#queued();
    this.#cancelTimer?.();
    if (last.kind === 'failed') last.cancelRetry();
    if (last.kind === 'writing') this.#disappoint(last.sent, unwritable(reason));
    else this.#queue.disappoint(unwritable(reason));
    this.#state = { kind: 'ended', reason };
    if (lost === 0) return;
    const sent = last.kind === 'writing' ? last.sent.batch : last.kind === 'failed' ? last.unwritten.batch : null;
    this.#options.log.error({ reason, sent, queued: this.#queue.take(Infinity).batch }, `The journal ends with ${lost} events not known to be written.`);
  }

  /** Begins a commit when one is due, or sees to it that it begins when it is. */
  #schedule(): void {
    if (this.#state.kind !== 'idle' || this.#turnAwaited) return;
    const { groupCommitMs, streamGroupCommitMs } = this.#options;
    const dueMs = this.#queue.dueAtMs(this.#lastCommitMs, groupCommitMs, streamGroupCommitMs);
    if (dueMs === null) return;
    const delayMs = dueMs - this.#options.clock.now();
    if (delayMs <= 0) {
      this.#turnAwaited = true;
      endOfTurn(() => this.#commit());
    } else {
      if (this.#cancelTimer !== null && this.#timerDueMs <= dueMs) return;
      this.#cancelTimer?.();
      this.#timerDueMs = dueMs;
      this.#cancelTimer = this.#options.clock.after(delayMs, () => {
        this.#cancelTimer = null;
        this.#schedule();
      });
    }
  }

  #commit(): void {
    this.#turnAwaited = false;
    if (this.#state.kind !== 'idle') return;
    const nowMs = this.#options.clock.now();
    const sent = this.#queue.take(nowMs - this.#options.streamGroupCommitMs);
    if (sent.size === 0) {
      for (const waiter of sent.flushes) waiter.resolve();
      return;
    }
    this.#lastCommitMs = nowMs;
    this.#write(sent, false);
  }

  #retry(): void {
    if (this.#state.kind !== 'failed') return;
    this.#state.cancelRetry();
    this.#write(this.#state.unwritten, true);
  }

  #write(sent: WaitedBatch, again: boolean): void {
    this.#state = { kind: 'writing', sent, again };
    this.#options.send(sent.batch);
  }

  #conflict(sent: WaitedBatch, index: number): void {
    const requestId = sent.batch.settles[index * SETTLE_FIELDS];
    this.#options.log.error({ requestId }, 'A request was settled twice, with different contents. The first record stands.');
    // The promise keeps its first outcome, so the resolving of the whole batch that follows does not undo this.
    sent.settles[index]?.reject(new MeridianError('conflict', { message: `${requestId} is settled with another record.` }));
  }

  #disappoint(sent: WaitedBatch, error: Error): WaitedBatch {
    this.#queue.disappoint(error);
    for (const waiter of sent.flushes) waiter.reject(error);
    return { ...sent, settles: disappointed(sent.settles, error), flushes: [] };
  }

  #queued(): number {
    const state = this.#state;
    const sent = state.kind === 'writing' ? state.sent.size : state.kind === 'failed' ? state.unwritten.size : 0;
    return sent + this.#queue.size;
  }

  #isFull(what: string, content: object): boolean {
    if (this.#queued() < this.#options.maxQueued) return false;
    this.#options.log.error({ content }, `The journal has no room for ${what}.`);
    return true;
  }
}

/** What a caller gets whose record could not be made durable. */
export function unwritable(reason: string): MeridianError {
  return new MeridianError('overloaded', { message: 'Usage cannot be recorded now.', cause: new Error(`The journal cannot be written: ${reason}`) });
}
