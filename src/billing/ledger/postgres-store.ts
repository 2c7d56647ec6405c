import { sql, type Kysely } from 'kysely';
import { oneAtATime, raiseRevision } from '../../store/index.ts';
import type { AllowanceTables } from './allowance-schema.ts';
import { takeOffAllowances } from './allowance-table.ts';
import { dropOldEvents } from './drop-old-events.ts';
import { partOf } from './event-parts.ts';
import type { LedgerStore, WrittenEvent } from './ledger-store.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { monthOf } from './month.ts';

/** A database that several gateways share. */
export const postgresStore: LedgerStore = {
  lock: (db, what) => oneAtATime(db, what),
  async insertEvents(db, rows, nowMs) {
    const column = <Key extends keyof (typeof rows)[number]>(key: Key) => rows.map((row) => row[key]);
    const month = await openMonth(db, nowMs);
    const { rows: written } = await sql<WrittenEvent>`
      WITH wanted AS (
        SELECT * FROM unnest(
          ${column('event_id')}::text[], ${column('kind')}::text[], ${column('meter')}::bigint[], ${column('at_ms')}::bigint[], ${column('invoice_month')}::text[], ${column('requests')}::bigint[],
          ${column('prompt_tokens')}::bigint[], ${column('cached_tokens')}::bigint[], ${column('completion_tokens')}::bigint[], ${column('reasoning_tokens')}::bigint[]
        ) AS wanted (event_id, kind, meter, at_ms, invoice_month, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens)
      ), fresh AS (
        INSERT INTO event_ids SELECT event_id FROM wanted ON CONFLICT DO NOTHING RETURNING event_id
      )
      INSERT INTO events (booked_month, event_id, kind, meter, at_ms, invoice_month, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens)
      SELECT ${month}, wanted.* FROM wanted JOIN fresh USING (event_id)
      RETURNING event_id, seq`.execute(db);
    return written;
  },
  takeOff: (db, source, events) => takeOffAllowances(db as unknown as Kysely<LedgerTables & AllowanceTables>, source, events),
  changed: (db, what) => raiseRevision(db, what),
  dropOldEvents,
};

/** The month that events are booked in: that of `nowMs`, and never before one that has begun, so that numbers and months rise together. */
async function openMonth(db: Kysely<LedgerTables>, nowMs: number): Promise<string> {
  const { rows } = await sql<{ newest: string | null }>`SELECT max(month) AS newest FROM event_parts`.execute(db);
  const newest = rows[0]?.newest ?? '';
  const month = monthOf(nowMs);
  if (month <= newest) return newest;
  const part = sql.table(partOf(month));
  await sql`CREATE TABLE ${part} PARTITION OF events FOR VALUES IN (${sql.lit(month)})`.execute(db);
  await sql`INSERT INTO event_parts (month) VALUES (${month})`.execute(db);
  return month;
}
