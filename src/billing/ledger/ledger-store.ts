import type { Kysely } from 'kysely';
import type { TakenOff } from './allowance-table.ts';
import type { LedgerEvent } from './ledger-event.ts';
import type { EventRow, LedgerTables } from './ledger-tables.ts';

/** The number that an event got in the ledger. */
export interface WrittenEvent {
  readonly event_id: string;
  readonly seq: number;
}

/** What differs between the databases that a ledger may be kept in. All of it is asked within a transaction of the caller. */
export interface LedgerStore {
  /** Whoever writes these waits here until nobody else does. */
  lock(db: Kysely<LedgerTables>, what: 'ledger' | 'webhooks'): Promise<void>;
  /** Writes those that were never written; resolves with these. No id is there twice. */
  insertEvents(db: Kysely<LedgerTables>, rows: readonly EventRow[], nowMs: number): Promise<readonly WrittenEvent[]>;
  /** Takes what was charged off what the journal's gateway had set aside of budgets. */
  takeOff(db: Kysely<LedgerTables>, source: string, events: readonly LedgerEvent[]): Promise<readonly TakenOff[]>;
  /** Others are to look at it anew. */
  changed(db: Kysely<LedgerTables>, what: 'prices' | 'spending'): Promise<void>;
  /** Drops single events of months that are more than `keptMonths` ago; resolves with the months. */
  dropOldEvents(db: Kysely<LedgerTables>, keptMonths: number, nowMs: number, sealKey: Buffer): Promise<readonly string[]>;
}
