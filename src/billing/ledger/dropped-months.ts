import { createHmac } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { LedgerTables } from './ledger-tables.ts';

/** Where the chain of seals goes on after the events that were dropped. */
export interface ChainStart {
  /** The last event that was dropped; 0 without one. */
  readonly lastSeq: number;
  /** The seal of it. */
  readonly hash: string;
  /** Notes of dropped months that are not as they were made, in words. */
  readonly faults: readonly string[];
}

/** A note of a month, under the key of the seals: what was dropped cannot be changed afterwards by changing the note. */
export async function droppedSeal(db: Kysely<LedgerTables>, month: string, lastSeq: number, hash: string, key: Buffer): Promise<string> {
  const usage = await db
    .selectFrom('dropped_usage')
    .select(['meter', 'requests', 'prompt_tokens', 'cached_tokens', 'completion_tokens', 'reasoning_tokens'])
    .where('month', '=', month)
    .orderBy('meter')
    .execute();
  const sums = usage.map((row) => [row.meter, row.requests, row.prompt_tokens, row.cached_tokens, row.completion_tokens, row.reasoning_tokens]);
  return createHmac('sha256', key).update(JSON.stringify(['dropped', month, lastSeq, hash, sums])).digest('hex');
}

/** Looks at the notes of what was dropped, and says where what is kept begins. */
export async function chainStart(db: Kysely<LedgerTables>, key: Buffer): Promise<ChainStart> {
  const faults: string[] = [];
  let [lastSeq, last] = [0, ''];
  for (const { month, last_seq: seq, hash, seal } of await db.selectFrom('dropped_months').selectAll().orderBy('last_seq').execute()) {
    if ((await droppedSeal(db, month, seq, hash, key)) !== seal) faults.push(`what is noted of the dropped events of ${month} is not as it was written`);
    [lastSeq, last] = [seq, hash];
  }
  return { lastSeq, hash: last, faults };
}
