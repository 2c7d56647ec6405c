import type { Kysely, Selectable } from 'kysely';
import { MeridianError, opposite, sumOf, type FemtoUsd } from '../../core/index.ts';
import type { Balance, Credit, Terms } from './billing-account.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { balancesOf, post } from './posting.ts';

/** Within the caller's transaction. Throws `invalid_value` unless the amount is above zero. */
export async function insertCredit(db: Kysely<LedgerTables>, credit: Credit): Promise<void> {
  if (credit.amount <= 0n) throw new MeridianError('invalid_value', { param: 'amount_usd', message: 'A credit must be above zero; what was charged too much is given back by a credit note.' });
  const { id, organization, kind, amount, note, createdAtMs } = credit;
  await db.insertInto('credits').values({ id, organization, kind, amount: String(amount), note, created_at_ms: createdAtMs }).execute();
  const less = opposite(amount);
  const entries = kind === 'paid' ? { cash: amount, paid_credit: less } : { promotion: amount, granted_credit: less };
  await post(db, { kind: 'credit', organization, reference: id, recordedAtMs: createdAtMs, entries });
}

/** In the order they were made. Throws `invalid_value` when `after` is none. */
export async function listCredits(
  db: Kysely<LedgerTables>,
  { organization, after, limit }: { readonly organization?: string | undefined; readonly after?: string | undefined; readonly limit: number },
): Promise<readonly Credit[]> {
  let rows = db.selectFrom('credits').selectAll();
  if (organization !== undefined) rows = rows.where('organization', '=', organization);
  if (after !== undefined) {
    const row = await db.selectFrom('credits').select('seq').where('id', '=', after).executeTakeFirst();
    if (row === undefined) throw new MeridianError('invalid_value', { param: 'after', message: `There is no credit ${after}.` });
    rows = rows.where('seq', '>', row.seq);
  }
  return (await rows.orderBy('seq').limit(limit).execute()).map(creditOf);
}

export async function readBalance(db: Kysely<LedgerTables>, organization: string, terms: Terms): Promise<Balance> {
  const { unbilled, receivable, paid_credit: paid, granted_credit: granted } = await balancesOf(db, organization);
  const credit = opposite(sumOf([paid, granted]));
  return {
    organization,
    terms,
    credit,
    granted: opposite(granted),
    paid: opposite(paid),
    unbilled,
    due: receivable,
    available: sumOf([credit, opposite(unbilled)]),
  };
}

function creditOf({ id, organization, kind, amount, note, created_at_ms: createdAtMs }: Selectable<LedgerTables['credits']>): Credit {
  return { id, organization, kind: kind === 'paid' ? 'paid' : 'granted', amount: BigInt(amount) as FemtoUsd, note, createdAtMs };
}
