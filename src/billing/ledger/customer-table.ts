import type { Kysely } from 'kysely';
import type { Terms } from './billing-account.ts';
import type { LedgerTables } from './ledger-tables.ts';

/** How an organization is charged. */
export interface Customer {
  readonly organization: string;
  readonly terms: Terms;
  /** As it stands on invoices: an object of the invoice's schema; null until it is known. */
  readonly buyer: unknown;
  /** Taxes on its invoices, in the invoice's schema. */
  readonly taxes: readonly unknown[];
}

/** Of an organization that nothing was said about: it is invoiced after the month, without tax. */
export async function findCustomer(db: Kysely<LedgerTables>, organization: string): Promise<Customer> {
  const row = await db.selectFrom('customers').selectAll().where('organization', '=', organization).executeTakeFirst();
  if (row === undefined) return { organization, terms: 'postpaid', buyer: null, taxes: [] };
  return {
    organization,
    terms: row.terms === 'prepaid' ? 'prepaid' : 'postpaid',
    buyer: row.buyer === null ? null : JSON.parse(row.buyer),
    taxes: JSON.parse(row.taxes) as unknown[],
  };
}

export async function putCustomer(db: Kysely<LedgerTables>, { organization, terms, buyer, taxes }: Customer, nowMs: number): Promise<void> {
  const row = { terms, buyer: buyer === null ? null : JSON.stringify(buyer), taxes: JSON.stringify(taxes), updated_at_ms: nowMs };
  await db
    .insertInto('customers')
    .values({ organization, ...row })
    .onConflict((conflict) => conflict.column('organization').doUpdateSet(row))
    .execute();
}

export async function prepaidOrganizations(db: Kysely<LedgerTables>): Promise<readonly string[]> {
  const rows = await db.selectFrom('customers').select('organization').where('terms', '=', 'prepaid').execute();
  return rows.map(({ organization }) => organization);
}
