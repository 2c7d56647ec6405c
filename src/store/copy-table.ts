import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { sql, type Kysely } from 'kysely';
import { MeridianError } from '../core/index.ts';

type Row = Readonly<Record<string, SQLOutputValue>>;

export interface TableCopy {
  readonly from: DatabaseSync;
  readonly to: Kysely<unknown>;
  readonly table: string;
  /** Columns by which the rows are in one order, and always the same. */
  readonly order: string;
  /** Has the identity column of this name count on from where the rows end. */
  readonly identity?: string;
  /** Writes a batch in its own way, within the transaction; as they are without it. */
  readonly write?: (db: Kysely<unknown>, rows: readonly Row[]) => Promise<void>;
  /** Told how many rows are there, of how many. */
  readonly told: (copied: number, all: number) => void;
}

const ROWS_AT_ONCE = 5_000;

/** Where copies note how far they are, in the database they go to. */
export async function prepareCopies(to: Kysely<unknown>): Promise<void> {
  await sql`CREATE TABLE IF NOT EXISTS table_copies (table_name text PRIMARY KEY, copied bigint NOT NULL)`.execute(to);
}

/**
 * Copies a table of an SQLite file into PostgreSQL, as far as it is not there yet: each batch is written with the note of how far the copy is, so one
 * that was broken off goes on. Rejects with `conflict` when the table has rows that no copy wrote.
 */
export async function copyTable(copy: TableCopy): Promise<void> {
  const { from, to, table, order, identity, told } = copy;
  const all = Number(from.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count']);
  let copied = await copiedOf(to, table);
  told(copied, all);
  let batch: Row[] = [];
  let place = 0;
  const flush = async (): Promise<void> => {
    const rows = batch;
    batch = [];
    await to.transaction().execute(async (db) => {
      await (copy.write ?? writeRows(table))(db, rows);
      copied += rows.length;
      await sql`INSERT INTO table_copies (table_name, copied) VALUES (${table}, ${copied}) ON CONFLICT (table_name) DO UPDATE SET copied = excluded.copied`.execute(db);
    });
    told(copied, all);
  };
  for (const row of from.prepare(`SELECT * FROM ${table} ORDER BY ${order}`).iterate()) {
    place += 1;
    if (place <= copied + batch.length) continue;
    batch.push(row);
    if (batch.length === ROWS_AT_ONCE) await flush();
  }
  if (batch.length > 0) await flush();
  if (identity !== undefined && all > 0) {
    await sql`SELECT setval(pg_get_serial_sequence(${table}, ${identity}), (SELECT max(${sql.ref(identity)}) FROM ${sql.table(table)}))`.execute(to);
  }
}

async function copiedOf(to: Kysely<unknown>, table: string): Promise<number> {
  const { rows } = await sql<{ copied: number }>`SELECT copied FROM table_copies WHERE table_name = ${table}`.execute(to);
  const [noted] = rows;
  if (noted !== undefined) return noted.copied;
  const { rows: found } = await sql`SELECT 1 FROM ${sql.table(table)} LIMIT 1`.execute(to);
  if (found.length > 0) throw new MeridianError('conflict', { message: `The table ${table} of the database has rows already. Move into an empty database: make one with createdb.` });
  return 0;
}

/** Writes rows as they are; their values become what the columns of the table hold. */
export function writeRows(table: string): (db: Kysely<unknown>, rows: readonly Row[]) => Promise<void> {
  return async (db, rows) => {
    const columns = Object.keys(rows[0] ?? {}).map((name) => sql.ref(name));
    if (columns.length === 0) return;
    const names = sql.join(columns);
    await sql`INSERT INTO ${sql.table(table)} (${names}) OVERRIDING SYSTEM VALUE SELECT ${names} FROM json_populate_recordset(NULL::${sql.table(table)}, ${JSON.stringify(rows, jsonValue)}::json)`.execute(db);
  };
}

function jsonValue(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : value;
}
