import { sql, type Kysely } from 'kysely';
import { MeridianError } from '../../core/index.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { monthOf, monthStartMs, nextMonth } from './month.ts';
import { GRAINS } from './usage-postings.ts';

/** Makes the projections again from the events and entries. Within the caller's transaction. Throws `conflict` when some events are not kept any more. */
export async function rebuildProjections(db: Kysely<LedgerTables>): Promise<void> {
  const dropped = await db.selectFrom('dropped_months').select('month').orderBy('month', 'desc').limit(1).executeTakeFirst();
  if (dropped !== undefined) {
    throw new MeridianError('conflict', { message: `The events of ${dropped.month} and before are not kept any more: what was made of them cannot be made again. Restore a backup.` });
  }
  for (const projection of ['rollups', 'charges', 'balances'] as const) await db.deleteFrom(projection).execute();
  for (const [grain, widthMs] of GRAINS) {
    await sql`
      INSERT INTO rollups (grain, start_ms, meter, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens)
      SELECT ${grain}, at_ms - at_ms % ${sql.lit(widthMs)} AS start_ms, meter,
        SUM(requests), SUM(prompt_tokens), SUM(cached_tokens), SUM(completion_tokens), SUM(reasoning_tokens)
      FROM events GROUP BY start_ms, meter`.execute(db);
  }
  await rebuildCharges(db);
  await rebuildBalances(db);
}

/** Month by month, so that no date arithmetic is left to the database. */
async function rebuildCharges(db: Kysely<LedgerTables>): Promise<void> {
  const { first, last } = await db.selectFrom('events').select(({ fn }) => [fn.min('at_ms').as('first'), fn.max('at_ms').as('last')]).executeTakeFirstOrThrow();
  if (first === null || last === null) return;
  for (let month = monthOf(first); month <= monthOf(last); month = nextMonth(month)) {
    const [fromMs, toMs] = [monthStartMs(month), monthStartMs(nextMonth(month))];
    await sql`
      INSERT INTO charges (organization, invoice_month, month, meter, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, last_seq)
      SELECT meters.organization, events.invoice_month, ${month}, events.meter,
        SUM(events.requests), SUM(events.prompt_tokens), SUM(events.cached_tokens), SUM(events.completion_tokens), SUM(events.reasoning_tokens), MAX(events.seq)
      FROM events JOIN meters ON meters.id = events.meter
      WHERE events.at_ms >= ${fromMs} AND events.at_ms < ${toMs}
      GROUP BY meters.organization, events.invoice_month, events.meter`.execute(db);
  }
}

async function rebuildBalances(db: Kysely<LedgerTables>): Promise<void> {
  const sums = new Map<string, { readonly organization: string; readonly account: string; amount: bigint }>();
  for await (const { organization, account, amount } of db.selectFrom('entries').select(['organization', 'account', 'amount']).stream()) {
    const key = `${organization} ${account}`;
    const sum = sums.get(key) ?? { organization, account, amount: 0n };
    sum.amount += BigInt(amount);
    sums.set(key, sum);
  }
  for (const { organization, account, amount } of sums.values()) {
    await db.insertInto('balances').values({ organization, account, amount: String(amount) }).execute();
  }
}
