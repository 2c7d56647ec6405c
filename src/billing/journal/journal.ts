import { Worker } from 'node:worker_threads';
import { MeridianError, type Clock, type Logger } from '../../core/index.ts';
import type { FromThread, JournalEntry, JournalPage, JournalQuery, JournalTotals, ThreadSettings, ToThread } from './journal-protocol.ts';
import { JournalReads } from './journal-reads.ts';
import { JournalWriter, unwritable } from './journal-writer.ts';
import type { Checkpoint, LateSettlement, OpenRequest, UsageRecord } from '../usage-record.ts';

export interface JournalOptions {
  /** The SQLite file, in a locked data directory. */
  readonly path: string;
  /** While other requests run, commits for answers in one piece begin at least this far apart. */
  readonly groupCommitMs: number;
  /**
   * How long the record of a stream, whose text the client has by then, may wait for others; and after how long a
   * request that was opened is written as open. A record that no other could join is committed at once.
   */
  readonly streamGroupCommitMs: number;
  /** Events queued at most; from half of it on `healthy` is false. Default 20,000. */
  readonly maxQueued?: number;
  /** Reads under way at most. Default 256. */
  readonly maxReads?: number;
  /** How soon a write that failed is tried again. Default 250. */
  readonly retryMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The durable list of what every request used. Written by a thread of its own; what `settle` acknowledged survives
 * `kill -9` and a power cut.
 */
export interface Journal {
  /** False when records cannot be made durable now or too many wait: admit no new request. Recovers by itself. */
  readonly healthy: boolean;
  /** Notes that a request runs, so that it is settled even if this process dies. Again with more attempts: replaces. */
  open(request: OpenRequest): void;
  /** Notes how far open requests have come. */
  checkpoint(list: readonly Checkpoint[]): void;
  /**
   * Resolves once `record` is durable. Rejects with `overloaded` when it could not be written now: it stays queued and
   * is written when that is possible. Rejects with `conflict`, and keeps it out, when the request has another record.
   */
  settle(record: UsageRecord): Promise<void>;
  /**
   * Adds what a node says of an attempt of a settled request as an adjustment; a second one of that attempt is ignored.
   * Resolves once it is durable.
   */
  lateSettlement(settlement: LateSettlement): Promise<void>;
  find(requestId: string): Promise<JournalEntry | null>;
  /** Records in the order they were written, or the other way round. Rejects with `invalid_value` when `after` is no settled request. */
  list(query: JournalQuery): Promise<JournalPage>;
  totals(): Promise<JournalTotals>;
  /** Resolves once everything so far is durable, opens and checkpoints too. */
  flush(): Promise<void>;
  /** Flushes and ends the thread. What could not be written is logged. */
  close(): Promise<void>;
}

const DEFAULT_MAX_QUEUED = 20_000;
const DEFAULT_MAX_READS = 256;
const DEFAULT_RETRY_MS = 250;
const MAX_PAGE = 1_000;

/** Opens the journal at `options.path`; requests that were open when the last process died are settled first. */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const settings: ThreadSettings = { path: options.path };
  const thread = new Worker(new URL(`./journal-thread.${extension}`, import.meta.url), { workerData: settings });
  const interrupted = await new Promise<number>((resolve, reject) => {
    thread.once('message', (message: FromThread) => resolve(message.kind === 'ready' ? message.interrupted : 0));
    thread.once('error', (cause) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      reject(new MeridianError('internal_error', { message: `The journal ${options.path} cannot be opened: ${reason}`, cause }));
    });
  });
  if (interrupted > 0) options.log.warn({ requests: interrupted }, 'Settled requests that were open when the last process ended.');
  return new ThreadedJournal(thread, options);
}

class ThreadedJournal implements Journal {
  readonly #thread: Worker;
  readonly #clock: Clock;
  readonly #writer: JournalWriter;
  readonly #reads: JournalReads;
  readonly #exited: Promise<void>;

  constructor(thread: Worker, options: JournalOptions) {
    const post = (message: ToThread): void => thread.postMessage(message);
    this.#thread = thread;
    this.#clock = options.clock;
    this.#writer = new JournalWriter({
      groupCommitMs: options.groupCommitMs,
      streamGroupCommitMs: options.streamGroupCommitMs,
      maxQueued: options.maxQueued ?? DEFAULT_MAX_QUEUED,
      retryMs: options.retryMs ?? DEFAULT_RETRY_MS,
      clock: options.clock,
      log: options.log,
      send: (batch) => post({ kind: 'write', batch }),
    });
    this.#reads = new JournalReads(post, options.maxReads ?? DEFAULT_MAX_READS);
    thread.on('message', (message: FromThread) => this.#receive(message));
    thread.on('error', (error) => this.#end(`its thread failed: ${String(error)}`));
    this.#exited = new Promise((resolve) => {
      thread.on('exit', () => {
        this.#end('its thread has ended');
        resolve();
      });
    });
  }

  get healthy(): boolean {
    return this.#writer.healthy;
  }

  open(request: OpenRequest): void {
    this.#writer.open(request);
  }

  checkpoint(list: readonly Checkpoint[]): void {
    for (const checkpoint of list) this.#writer.checkpoint(checkpoint);
  }

  settle(record: UsageRecord): Promise<void> {
    return this.#writer.settle(record);
  }

  lateSettlement({ attemptId, outcome, usage }: LateSettlement): Promise<void> {
    return this.#writer.adjust({ attemptId, outcome, usage, recordedAtMs: this.#clock.wallMs() });
  }

  find(requestId: string): Promise<JournalEntry | null> {
    return this.#reads.ask<JournalEntry | null>({ kind: 'find', requestId });
  }

  async list(query: JournalQuery): Promise<JournalPage> {
    if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > MAX_PAGE) {
      throw new MeridianError('invalid_value', { message: `limit must be a whole number from 1 to ${MAX_PAGE}.`, param: 'limit' });
    }
    const page = await this.#reads.ask<JournalPage | null>({ kind: 'list', query });
    if (page !== null) return page;
    throw new MeridianError('invalid_value', { message: `There is no settled request ${query.after}.`, param: 'after' });
  }

  totals(): Promise<JournalTotals> {
    return this.#reads.ask<JournalTotals>({ kind: 'totals' });
  }

  flush(): Promise<void> {
    return this.#writer.flush();
  }

  async close(): Promise<void> {
    // What cannot be written now is logged in full when the writer ends.
    await this.#writer.flush().catch(() => {});
    this.#end('it is closed');
    this.#thread.postMessage({ kind: 'close' } satisfies ToThread);
    await this.#exited;
  }

  #receive(message: FromThread): void {
    if (message.kind === 'written') this.#writer.written(message.report);
    else if (message.kind === 'refused') this.#writer.refused(message.reason);
    else if (message.kind !== 'ready') this.#reads.receive(message);
  }

  #end(reason: string): void {
    this.#writer.end(reason);
    this.#reads.end(unwritable(reason));
  }
}
