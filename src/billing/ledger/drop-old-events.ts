import { sql, type Kysely } from 'kysely';
import { droppedSeal } from './dropped-months.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { monthOf } from './month.ts';
import { partOf } from './event-parts.ts';

const MONTHS_OF_YEAR = 12;

/**
 * Drops the single events of months of booking that are more than `keptMonths` before that of `nowMs`. What they sum to stays in every
 * projection, and for each meter in a sealed note; the chain of seals goes on from where they end. Their ids are kept.
 */
export async function dropOldEvents(db: Kysely<LedgerTables>, keptMonths: number, nowMs: number, sealKey: Buffer): Promise<readonly string[]> {
  const first = monthsBefore(monthOf(nowMs), keptMonths);
  const { rows } = await sql<{ month: string }>`SELECT month FROM event_parts WHERE month < ${first} ORDER BY month`.execute(db);
  for (const { month } of rows) await dropMonth(db, month, sealKey);
  return rows.map(({ month }) => month);
}

async function dropMonth(db: Kysely<LedgerTables>, month: string, sealKey: Buffer): Promise<void> {
  const part = sql.table(partOf(month));
  const { rows } = await sql<{ last_seq: number; hash: string }>`SELECT last_seq, hash FROM seals WHERE last_seq = (SELECT max(seq) FROM ${part})`.execute(db);
  const [last] = rows;
  if (last !== undefined) {
    // First, since the sums refer to it; sealed when they are there.
    await db.insertInto('dropped_months').values({ month, last_seq: last.last_seq, hash: last.hash, seal: '' }).execute();
    await sql`
      INSERT INTO dropped_usage (month, meter, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens)
      SELECT ${month}, meter, sum(requests), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), sum(reasoning_tokens) FROM ${part} GROUP BY meter`.execute(db);
    const seal = await droppedSeal(db, month, last.last_seq, last.hash, sealKey);
    await db.updateTable('dropped_months').set({ seal }).where('month', '=', month).where('seal', '=', '').execute();
  }
  await sql`DROP TABLE ${part}`.execute(db);
  await sql`DELETE FROM event_parts WHERE month = ${month}`.execute(db);
}

function monthsBefore(month: string, count: number): string {
  const [year = 0, number = 1] = month.split('-').map(Number);
  const months = year * MONTHS_OF_YEAR + (number - 1) - count;
  return `${String(Math.floor(months / MONTHS_OF_YEAR)).padStart(4, '0')}-${String((months % MONTHS_OF_YEAR) + 1).padStart(2, '0')}`;
}
