import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Adjustment, UsageRecord } from '../usage-record.ts';

/** One line of the journal, with the record it is about. */
export type JournalEvent =
  | { readonly kind: 'record'; readonly seq: number; readonly record: UsageRecord; /** Those that were written before it. */ readonly earlier: readonly Adjustment[] }
  | { readonly kind: 'adjustment'; readonly seq: number; readonly adjustment: Adjustment; /** Null while it is not written. */ readonly record: UsageRecord | null };

/** Reads a journal's events in their order, beside the thread that writes them. */
export class JournalTail {
  readonly #db: DatabaseSync;
  readonly #next: StatementSync;
  readonly #record: StatementSync;
  readonly #earlier: StatementSync;

  /** The journal must be there. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path, { readOnly: true });
    this.#next = this.#db.prepare('SELECT seq, request_id, attempt_id, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?');
    this.#record = this.#db.prepare('SELECT body FROM events WHERE request_id = ? AND attempt_id IS NULL');
    this.#earlier = this.#db.prepare('SELECT body FROM events WHERE request_id = ? AND attempt_id IS NOT NULL AND seq < ? ORDER BY seq');
  }

  /** At most `limit` of those behind `seq`. */
  after(seq: number, limit: number): JournalEvent[] {
    return this.#next.all(seq, limit).map((row) => {
      const place = Number(row['seq']);
      const requestId = String(row['request_id']);
      if (row['attempt_id'] === null) {
        const earlier = this.#earlier.all(requestId, place).map((one) => JSON.parse(String(one['body'])) as Adjustment);
        return { kind: 'record', seq: place, record: JSON.parse(String(row['body'])) as UsageRecord, earlier };
      }
      const adjustment = JSON.parse(String(row['body'])) as Adjustment;
      return { kind: 'adjustment', seq: place, adjustment, record: this.record(requestId) };
    });
  }

  /** The record of a request; null when there is none. */
  record(requestId: string): UsageRecord | null {
    const row = this.#record.get(requestId);
    return row === undefined ? null : (JSON.parse(String(row['body'])) as UsageRecord);
  }

  close(): void {
    this.#db.close();
  }
}
