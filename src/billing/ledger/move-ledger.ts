import { DatabaseSync } from 'node:sqlite';
import { sql, type Kysely } from 'kysely';
import { copyTable, openPostgres, prepareCopies, writeRows, type TableCopy } from '../../store/index.ts';
import { partOf } from './event-parts.ts';
import { monthOf } from './month.ts';
import { POSTGRES_LEDGER_MIGRATIONS } from './postgres-schema.ts';

/** In an order in which what a row refers to is there before it. */
const TABLES: readonly Pick<TableCopy, 'table' | 'order' | 'identity'>[] = [
  { table: 'meters', order: 'id', identity: 'id' },
  { table: 'events', order: 'seq' },
  { table: 'seals', order: 'last_seq' },
  { table: 'transactions', order: 'id', identity: 'id' },
  { table: 'entries', order: 'transaction_id, account' },
  { table: 'balances', order: 'organization, account' },
  { table: 'rollups', order: 'grain, meter, start_ms' },
  { table: 'charges', order: 'organization, invoice_month, month, meter' },
  { table: 'prices', order: 'seq', identity: 'seq' },
  { table: 'customers', order: 'organization' },
  { table: 'credits', order: 'seq', identity: 'seq' },
  { table: 'budgets', order: 'seq', identity: 'seq' },
  { table: 'budget_marks', order: 'budget, period, percent' },
  { table: 'closed_months', order: 'organization' },
  { table: 'series', order: 'prefix' },
  { table: 'invoices', order: 'seq', identity: 'seq' },
  { table: 'credit_notes', order: 'seq', identity: 'seq' },
  { table: 'webhook_endpoints', order: 'seq', identity: 'seq' },
  { table: 'webhook_events', order: 'seq', identity: 'seq' },
  { table: 'webhook_deliveries', order: 'event, endpoint' },
  { table: 'sources', order: 'source' },
];

/** How many rows each table has on either side. */
export interface MovedTable {
  readonly table: string;
  readonly from: number;
  readonly to: number;
}

/** Copies a ledger in an SQLite file that nobody writes into PostgreSQL; goes on where it was broken off. */
export async function moveLedger(path: string, url: string, told: (table: string, copied: number, all: number) => void): Promise<readonly MovedTable[]> {
  const from = new DatabaseSync(path, { readOnly: true });
  const to = await openPostgres<unknown>({ url, component: 'ledger', migrations: POSTGRES_LEDGER_MIGRATIONS, connectionsMax: 2, statementMs: 600_000 });
  try {
    await prepareCopies(to);
    for (const one of TABLES) {
      const own = one.table === 'events' ? { write: writeEvents } : {};
      await copyTable({ ...one, ...own, from, to, told: (copied, all) => told(one.table, copied, all) });
    }
    await sql`SELECT setval('events_seq', (SELECT coalesce(max(seq), 0) + 1 FROM events), false)`.execute(to);
    return await Promise.all(TABLES.map(({ table }) => countBoth(from, to, table)));
  } finally {
    from.close();
    await to.destroy();
  }
}

/** With their ids, in parts by month; months rise with the numbers of the events, as they do where events are booked. */
async function writeEvents(db: Kysely<unknown>, rows: Parameters<NonNullable<TableCopy['write']>>[1]): Promise<void> {
  const { rows: parts } = await sql<{ newest: string | null }>`SELECT max(month) AS newest FROM event_parts`.execute(db);
  let month = parts[0]?.newest ?? '';
  const booked: Record<string, (typeof rows)[number][string]>[] = [];
  for (const row of rows) {
    const own = monthOf(Number(row['at_ms']));
    if (own > month) {
      month = own;
      await sql`CREATE TABLE ${sql.table(partOf(month))} PARTITION OF events FOR VALUES IN (${sql.lit(month)})`.execute(db);
      await sql`INSERT INTO event_parts (month) VALUES (${month})`.execute(db);
    }
    booked.push({ booked_month: month, ...row });
  }
  await writeRows('event_ids')(db, rows.map(({ event_id: id }) => ({ event_id: id ?? null })));
  await writeRows('events')(db, booked);
}

async function countBoth(from: DatabaseSync, to: Kysely<unknown>, table: string): Promise<MovedTable> {
  const { rows } = await sql<{ count: number }>`SELECT count(*) AS count FROM ${sql.table(table)}`.execute(to);
  return { table, from: Number(from.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count']), to: rows[0]?.count ?? 0 };
}
