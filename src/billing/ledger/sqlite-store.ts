import type { LedgerStore, WrittenEvent } from './ledger-store.ts';

/** SQLite binds at most 32,766 values in a statement. */
const ROWS_MAX = 2_000;

/** One process has the file, so nobody else is there to wait for or to tell. */
export const sqliteStore: LedgerStore = {
  lock: () => Promise.resolve(),
  async insertEvents(db, rows) {
    const written: WrittenEvent[] = [];
    for (let i = 0; i < rows.length; i += ROWS_MAX) {
      const fresh = db
        .insertInto('events')
        .values(rows.slice(i, i + ROWS_MAX))
        .onConflict((conflict) => conflict.column('event_id').doNothing())
        .returning(['event_id', 'seq']);
      written.push(...(await fresh.execute()));
    }
    return written;
  },
  takeOff: () => Promise.resolve([]),
  changed: () => Promise.resolve(),
  dropOldEvents: () => Promise.resolve([]),
};
