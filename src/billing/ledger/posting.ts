import type { Kysely } from 'kysely';
import { MeridianError, type FemtoUsd } from '../../core/index.ts';
import type { LedgerTables } from './ledger-tables.ts';

/**
 * The accounts of an organization. A positive amount is a debit. `unbilled`: used and not invoiced yet. `receivable`:
 * invoiced and not paid. `paid_credit` and `granted_credit`: paid or granted ahead, negative while there is some. The others say
 * where money came from and went to.
 */
export type Account = 'unbilled' | 'receivable' | 'paid_credit' | 'granted_credit' | 'cash' | 'revenue' | 'promotion' | 'rounding' | 'tax' | 'written_off';

export interface Posting {
  readonly kind: string;
  readonly organization: string;
  /** What it is about; one posting of a kind for each. */
  readonly reference: string;
  /** Wall time, milliseconds since the epoch. */
  readonly recordedAtMs: number;
  /** Sums to zero. */
  readonly entries: Partial<Readonly<Record<Account, FemtoUsd>>>;
}

/** Writes a balanced transaction and moves the balances. Throws `conflict` when one of that kind and reference is there already. */
export async function post(db: Kysely<LedgerTables>, { kind, organization, reference, recordedAtMs, entries }: Posting): Promise<void> {
  const moved = Object.entries(entries).filter(([, amount]) => amount !== 0n);
  const sum = moved.reduce((total, [, amount]) => total + amount, 0n);
  if (sum !== 0n) throw new MeridianError('internal_error', { message: `The posting ${kind} ${reference} does not balance: ${sum}.` });
  const made = await db
    .insertInto('transactions')
    .values({ kind, organization, reference, recorded_at_ms: recordedAtMs })
    .onConflict((conflict) => conflict.columns(['kind', 'reference']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (made === undefined) throw new MeridianError('conflict', { message: `${kind} ${reference} is recorded already.` });
  if (moved.length === 0) return;
  await db
    .insertInto('entries')
    .values(moved.map(([account, amount]) => ({ transaction_id: made.id, organization, account, amount: String(amount) })))
    .execute();
  await moveBalances(db, organization, moved);
}

/** What a posting moved; null when there is none of that kind and reference. */
export async function entriesOf(db: Kysely<LedgerTables>, kind: string, reference: string): Promise<Readonly<Record<Account, FemtoUsd>> | null> {
  const made = await db.selectFrom('transactions').select('id').where('kind', '=', kind).where('reference', '=', reference).executeTakeFirst();
  if (made === undefined) return null;
  const rows = await db.selectFrom('entries').select(['account', 'amount']).where('transaction_id', '=', made.id).execute();
  return { ...NOTHING, ...Object.fromEntries(rows.map(({ account, amount }) => [account, BigInt(amount) as FemtoUsd])) };
}

/** Debits less credits of each account that was ever moved. */
export async function balancesOf(db: Kysely<LedgerTables>, organization: string): Promise<Readonly<Record<Account, FemtoUsd>>> {
  const rows = await db.selectFrom('balances').selectAll().where('organization', '=', organization).execute();
  return { ...NOTHING, ...Object.fromEntries(rows.map(({ account, amount }) => [account, BigInt(amount) as FemtoUsd])) };
}

async function moveBalances(db: Kysely<LedgerTables>, organization: string, moved: readonly [string, bigint][]): Promise<void> {
  const before = new Map<string, bigint>(Object.entries(await balancesOf(db, organization)));
  await db
    .insertInto('balances')
    .values(moved.map(([account, amount]) => ({ organization, account, amount: String((before.get(account) ?? 0n) + amount) })))
    .onConflict((conflict) => conflict.columns(['organization', 'account']).doUpdateSet((eb) => ({ amount: eb.ref('excluded.amount') })))
    .execute();
}

const ZERO = 0n as FemtoUsd;
const NOTHING: Readonly<Record<Account, FemtoUsd>> = {
  unbilled: ZERO,
  receivable: ZERO,
  paid_credit: ZERO,
  granted_credit: ZERO,
  cash: ZERO,
  revenue: ZERO,
  promotion: ZERO,
  rounding: ZERO,
  tax: ZERO,
  written_off: ZERO,
};
