import { sql, type Kysely, type Selectable } from 'kysely';
import { MeridianError, opposite, sumOf, type FemtoUsd } from '../../core/index.ts';
import type { CreditNote, Invoice, InvoiceStatus } from '../invoices/invoice.ts';
import { parseSnapshot } from '../invoices/invoice-snapshot.ts';
import { invoiceContent, type InvoiceTerms } from './invoice-content.ts';
import type { ListQuery } from './ledger.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { entriesOf } from './posting.ts';

type InvoiceRow = Selectable<LedgerTables['invoices']>;

/** Null when there is none. A draft says what it would say now. */
export async function findInvoice(db: Kysely<LedgerTables>, id: string, terms: InvoiceTerms): Promise<Invoice | null> {
  const row = await db.selectFrom('invoices').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : invoiceOf(db, row, terms);
}

/** Throws `not_found`. */
export async function requireInvoice(db: Kysely<LedgerTables>, id: string, terms: InvoiceTerms): Promise<Invoice> {
  const invoice = await findInvoice(db, id, terms);
  if (invoice === null) throw new MeridianError('not_found', { param: 'id', message: `There is no invoice '${id}'.` });
  return invoice;
}

export async function findInvoiceOf(db: Kysely<LedgerTables>, organization: string, period: string, terms: InvoiceTerms): Promise<Invoice | null> {
  const row = await db.selectFrom('invoices').selectAll().where('organization', '=', organization).where('period', '=', period).executeTakeFirst();
  return row === undefined ? null : invoiceOf(db, row, terms);
}

/** In the order they were created. Throws `invalid_value` when `after` is none. */
export async function listInvoices(db: Kysely<LedgerTables>, { organization, after, limit }: ListQuery, terms: InvoiceTerms): Promise<readonly Invoice[]> {
  let rows = db.selectFrom('invoices').selectAll();
  if (organization !== undefined) rows = rows.where('organization', '=', organization);
  if (after !== undefined) {
    const row = await db.selectFrom('invoices').select('seq').where('id', '=', after).executeTakeFirst();
    if (row === undefined) throw new MeridianError('invalid_value', { param: 'after', message: `There is no invoice ${after}.` });
    rows = rows.where('seq', '>', row.seq);
  }
  const list: Invoice[] = [];
  for (const row of await rows.orderBy('seq').limit(limit).execute()) list.push(await invoiceOf(db, row, terms));
  return list;
}

/** The next number of a series, which has no gaps as long as the caller's transaction is committed or taken back whole. */
export async function nextNumber(db: Kysely<LedgerTables>, prefix: string): Promise<string> {
  const { last } = await db
    .insertInto('series')
    .values({ prefix, last: 1 })
    .onConflict((conflict) => conflict.column('prefix').doUpdateSet({ last: sql<number>`series.last + 1` }))
    .returning('last')
    .executeTakeFirstOrThrow();
  return `${prefix}-${String(last).padStart(NUMBER_DIGITS, '0')}`;
}

async function creditNotesOf(db: Kysely<LedgerTables>, invoice: string): Promise<readonly CreditNote[]> {
  const rows = await db.selectFrom('credit_notes').selectAll().where('invoice', '=', invoice).orderBy('seq').execute();
  const notes: CreditNote[] = [];
  for (const { id, number, amount, reason, created_at_ms: createdAtMs } of rows) {
    const entries = await entriesOf(db, 'credit note', id);
    const credited = opposite(sumOf([entries?.paid_credit ?? NONE, entries?.granted_credit ?? NONE]));
    notes.push({ id, number, invoice, amount: BigInt(amount) as FemtoUsd, tax: entries?.tax ?? NONE, credited, reason, createdAtMs });
  }
  return notes;
}

const NUMBER_DIGITS = 6;
const NONE = 0n as FemtoUsd;

async function invoiceOf(db: Kysely<LedgerTables>, row: InvoiceRow, terms: InvoiceTerms): Promise<Invoice> {
  return {
    id: row.id,
    status: row.status as InvoiceStatus,
    number: row.number,
    createdAtMs: row.created_at_ms,
    finalizedAtMs: row.finalized_at_ms,
    dueAtMs: row.due_at_ms,
    paidAtMs: row.paid_at_ms,
    voidedAtMs: row.voided_at_ms,
    snapshot: row.snapshot === null ? await invoiceContent(db, row.organization, row.period, terms) : parseSnapshot(row.snapshot),
    creditNotes: await creditNotesOf(db, row.id),
  };
}
