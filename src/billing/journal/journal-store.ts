import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import { NO_USAGE, type Usage } from '../../openai/index.ts';
import { openDatabase, transaction } from '../../store/index.ts';
import { interruptedRecord } from './interrupted-record.ts';
import { JOURNAL_MIGRATIONS } from './journal-schema.ts';
import {
  SETTLE_FIELDS,
  type Batch,
  type JournalEntry,
  type JournalPage,
  type JournalQuery,
  type JournalTotals,
  type WriteReport,
} from './journal-protocol.ts';
import { requestOfAttempt, type Adjustment, type Checkpoint, type OpenRequest, type UsageRecord } from '../usage-record.ts';
import { addUsage } from '../usage-sum.ts';

const EXACT_SOURCES = new Set(['engine', 'node']);

/** The journal's file: what a batch does to it, and how it is read. Runs in the journal's thread. */
export class JournalStore {
  readonly #db: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #open: StatementSync;
  readonly #checkpoint: StatementSync;
  readonly #close: StatementSync;
  readonly #settle: StatementSync;
  readonly #adjust: StatementSync;
  readonly #count: StatementSync;
  readonly #record: StatementSync;
  readonly #adjustments: StatementSync;
  readonly #isOpen: StatementSync;

  constructor(path: string) {
    // Nobody else writes here (the data directory is locked), so there is nobody worth waiting for.
    const db = openDatabase(path, { migrations: JOURNAL_MIGRATIONS, busyTimeoutMs: 100 });
    this.#db = db;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#open = db.prepare('INSERT INTO open_requests (request_id, body) VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body');
    this.#checkpoint = db.prepare('UPDATE open_requests SET checkpoint = ?2 WHERE request_id = ?1');
    this.#close = db.prepare('DELETE FROM open_requests WHERE request_id = ?');
    this.#settle = db.prepare('INSERT INTO events (request_id, key_id, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
    this.#adjust = db.prepare('INSERT INTO events (request_id, attempt_id, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
    this.#count = db.prepare(
      `UPDATE totals SET requests = requests + ?, adjustments = adjustments + ?, prompt_tokens = prompt_tokens + ?,
       cached_tokens = cached_tokens + ?, completion_tokens = completion_tokens + ?, reasoning_tokens = reasoning_tokens + ?`,
    );
    this.#record = db.prepare('SELECT seq, body FROM events WHERE request_id = ? AND attempt_id IS NULL');
    this.#adjustments = db.prepare('SELECT body FROM events WHERE request_id = ? AND attempt_id IS NOT NULL ORDER BY seq');
    this.#isOpen = db.prepare('SELECT 1 FROM open_requests WHERE request_id = ?');
  }

  /** Commits `batch`; it is durable when this returns. Throws, with nothing of it written, when the file takes no more. */
  write(batch: Batch): WriteReport {
    this.#begin.run();
    try {
      const report = this.#apply(batch);
      this.#commit.run();
      return report;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Settles what was open when the last process ended; returns how many requests that were. */
  settleInterrupted(): number {
    return transaction(this.#db, () => {
      const rows = this.#db.prepare('SELECT body, checkpoint FROM open_requests ORDER BY request_id').all();
      const settles: string[] = [];
      let usage = NO_USAGE;
      for (const row of rows) {
        const open = JSON.parse(String(row['body'])) as OpenRequest;
        const checkpoint = row['checkpoint'] === null ? null : (JSON.parse(String(row['checkpoint'])) as Checkpoint);
        // Opened again by mistake after it was settled: the record stands.
        if (this.#record.get(open.requestId) !== undefined) continue;
        const record = interruptedRecord(open, checkpoint);
        settles.push(record.requestId, record.keyId, JSON.stringify(record));
        usage = addUsage(usage, record.usage);
      }
      this.#apply({ opens: [], checkpoints: [], settles, usage, closes: [], adjustments: [] });
      this.#db.exec('DELETE FROM open_requests');
      return settles.length / SETTLE_FIELDS;
    });
  }

  find(requestId: string): JournalEntry | null {
    const row = this.#record.get(requestId);
    return row === undefined ? null : this.#entry(JSON.parse(String(row['body'])) as UsageRecord);
  }

  /** Records in the order they were written; null when `after` is not a settled request. */
  list(query: JournalQuery): JournalPage | null {
    const isNewestFirst = query.order === 'desc';
    let seq = isNewestFirst ? Number.MAX_SAFE_INTEGER : 0;
    if (query.after !== undefined) {
      const row = this.#record.get(query.after);
      if (row === undefined) return null;
      seq = Number(row['seq']);
    }
    const next = isNewestFirst ? 'seq < ? ORDER BY seq DESC' : 'seq > ? ORDER BY seq';
    const rows =
      query.keyId === undefined
        ? this.#db.prepare(`SELECT body FROM events WHERE attempt_id IS NULL AND ${next} LIMIT ?`).all(seq, query.limit + 1)
        : this.#db
            .prepare(`SELECT body FROM events WHERE attempt_id IS NULL AND key_id = ? AND ${next} LIMIT ?`)
            .all(query.keyId, seq, query.limit + 1);
    const entries = rows.slice(0, query.limit).map((row) => this.#entry(JSON.parse(String(row['body'])) as UsageRecord));
    return { entries, hasMore: rows.length > query.limit };
  }

  totals(): JournalTotals {
    const row = this.#db.prepare('SELECT * FROM totals').get() ?? {};
    return {
      requests: Number(row['requests']),
      adjustments: Number(row['adjustments']),
      promptTokens: Number(row['prompt_tokens']),
      cachedTokens: Number(row['cached_tokens']),
      completionTokens: Number(row['completion_tokens']),
      reasoningTokens: Number(row['reasoning_tokens']),
    };
  }

  close(): void {
    this.#db.close();
  }

  #apply(batch: Batch): WriteReport {
    for (let i = 0; i < batch.opens.length; i += 2) this.#open.run(batch.opens[i] ?? '', batch.opens[i + 1] ?? '');
    for (let i = 0; i < batch.checkpoints.length; i += 2) {
      this.#checkpoint.run(batch.checkpoints[i] ?? '', batch.checkpoints[i + 1] ?? '');
    }
    for (const requestId of batch.closes) this.#close.run(requestId);
    const settled = this.#applySettles(batch);
    const adjusted = this.#applyAdjustments(batch.adjustments);
    if (settled.requests + adjusted.adjustments > 0) {
      const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = settled.usage;
      this.#count.run(settled.requests, adjusted.adjustments, promptTokens, cachedTokens, completionTokens, reasoningTokens);
    }
    return { conflicts: settled.conflicts, strangers: adjusted.strangers };
  }

  #applySettles({ settles, usage }: Batch): { requests: number; usage: Usage; conflicts: number[] } {
    const result = { requests: settles.length / SETTLE_FIELDS, usage, conflicts: [] as number[] };
    for (let i = 0; i < settles.length; i += SETTLE_FIELDS) {
      const requestId = settles[i] ?? '';
      const body = settles[i + 2] ?? '';
      if (this.#settle.run(requestId, settles[i + 1] ?? '', body).changes !== 0) continue;
      result.requests -= 1;
      result.usage = addUsage(result.usage, (JSON.parse(body) as UsageRecord).usage, -1);
      if (!this.#isSettledAs(requestId, body)) result.conflicts.push(i / SETTLE_FIELDS);
    }
    return result;
  }

  #applyAdjustments(fields: readonly string[]) {
    const result = { adjustments: 0, strangers: [] as string[] };
    for (let i = 0; i < fields.length; i += 2) {
      const attemptId = fields[i] ?? '';
      const body = fields[i + 1] ?? '';
      const requestId = requestOfAttempt(attemptId);
      const row = this.#record.get(requestId);
      if (row === undefined && this.#isOpen.get(requestId) === undefined) result.strangers.push(attemptId);
      else if (row !== undefined && saysTheSame(String(row['body']), body)) continue;
      else result.adjustments += Number(this.#adjust.run(requestId, attemptId, body).changes);
    }
    return result;
  }

  #isSettledAs(requestId: string, body: string): boolean {
    const stored = String(this.#record.get(requestId)?.['body']);
    return stored === body || isDeepStrictEqual(JSON.parse(stored), JSON.parse(body));
  }

  #entry(record: UsageRecord): JournalEntry {
    const rows = this.#adjustments.all(record.requestId);
    return { record, adjustments: rows.map((row) => JSON.parse(String(row['body'])) as Adjustment) };
  }
}

/** The record holds an exact count of that attempt already, and the same one: there is nothing to adjust. */
function saysTheSame(recordBody: string, adjustmentBody: string): boolean {
  const record = JSON.parse(recordBody) as UsageRecord;
  const adjustment = JSON.parse(adjustmentBody) as Adjustment;
  const attempt = record.attempts.find((one) => one.id === adjustment.attemptId);
  return attempt !== undefined && EXACT_SOURCES.has(attempt.source) && isDeepStrictEqual(attempt.usage, adjustment.usage);
}
