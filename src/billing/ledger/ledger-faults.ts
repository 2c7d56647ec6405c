import { sql, type Kysely } from 'kysely';
import { chargeTotal } from '../prices/charge.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { chargeOfSums, sumsOf } from './token-sums.ts';

/**
 * What does not add up, in words; empty when all does: each transaction sums to zero, each balance is the sum of its entries,
 * rollups and charges are the sums of the events, and what was posted for usage is what the events cost.
 */
export async function ledgerFaults(db: Kysely<LedgerTables>): Promise<readonly string[]> {
  return [...(await unbalanced(db)), ...(await wrongBalances(db)), ...(await wrongProjections(db)), ...(await wrongPostings(db))];
}

async function unbalanced(db: Kysely<LedgerTables>): Promise<string[]> {
  const sums = new Map<number, bigint>();
  for await (const { transaction_id: id, amount } of db.selectFrom('entries').select(['transaction_id', 'amount']).stream()) {
    sums.set(id, (sums.get(id) ?? 0n) + BigInt(amount));
    if (sums.get(id) === 0n) sums.delete(id);
  }
  return [...sums].map(([id, sum]) => `transaction ${id} sums to ${sum}`);
}

async function wrongBalances(db: Kysely<LedgerTables>): Promise<string[]> {
  const sums = new Map<string, bigint>();
  for await (const { organization, account, amount } of db.selectFrom('entries').select(['organization', 'account', 'amount']).stream()) {
    const key = `${organization} ${account}`;
    sums.set(key, (sums.get(key) ?? 0n) + BigInt(amount));
  }
  const faults: string[] = [];
  for (const { organization, account, amount } of await db.selectFrom('balances').selectAll().execute()) {
    const key = `${organization} ${account}`;
    if (sums.get(key) !== BigInt(amount)) faults.push(`the balance ${key} is ${amount}, and its entries sum to ${sums.get(key) ?? 0n}`);
    sums.delete(key);
  }
  return [...faults, ...[...sums.keys()].map((key) => `the balance ${key} is missing`)];
}

/** Of each meter, what both grains and the charges say, and what its events say. */
async function wrongProjections(db: Kysely<LedgerTables>): Promise<string[]> {
  const sum = (table: string, condition: string) =>
    sql<{ meter: number; sums: string }>`
      SELECT meter, SUM(requests) || ' ' || SUM(prompt_tokens) || ' ' || SUM(cached_tokens) || ' ' || SUM(completion_tokens) || ' ' || SUM(reasoning_tokens) AS sums
      FROM ${sql.raw(table)} WHERE ${sql.raw(condition)} GROUP BY meter`.execute(db);
  const events = new Map((await sum('events_ever', '1 = 1')).rows.map(({ meter, sums }) => [meter, sums]));
  const faults: string[] = [];
  for (const [table, condition] of [['rollups', "grain = 'hour'"], ['rollups', "grain = 'day'"], ['charges', '1 = 1']] as const) {
    const projected = new Map((await sum(table, condition)).rows.map(({ meter, sums }) => [meter, sums]));
    for (const meter of new Set([...events.keys(), ...projected.keys()])) {
      if (events.get(meter) !== projected.get(meter)) faults.push(`meter ${meter}: ${table} (${condition}) say ${projected.get(meter)}, events ${events.get(meter)}`);
    }
  }
  return faults;
}

async function wrongPostings(db: Kysely<LedgerTables>): Promise<string[]> {
  const charged = new Map<string, bigint>();
  const rows = await db
    .selectFrom('events_ever')
    .innerJoin('meters', 'meters.id', 'events_ever.meter')
    .select(['meters.organization', 'meters.price_input', 'meters.price_input_cached', 'meters.price_output'])
    .select(sumsOf('events_ever'))
    .groupBy('meters.id')
    .execute();
  for (const row of rows) charged.set(row.organization, (charged.get(row.organization) ?? 0n) + chargeTotal(chargeOfSums(row, row)));
  const usage = db.selectFrom('entries').innerJoin('transactions', 'transactions.id', 'entries.transaction_id').where('kind', '=', 'usage').where('account', '=', 'unbilled');
  for await (const { organization, amount } of usage.select(['entries.organization', 'amount']).stream()) {
    charged.set(organization, (charged.get(organization) ?? 0n) - BigInt(amount));
  }
  return [...charged].filter(([, rest]) => rest !== 0n).map(([organization, rest]) => `${organization}: its events cost ${rest} more than was posted`);
}
