import type { Kysely } from 'kysely';
import { DAY_MS, instantText, MeridianError, opposite, sumOf, usdText, type FemtoUsd } from '../../core/index.ts';
import { chargedBy, splitCreditNote } from '../invoices/credit-note-split.ts';
import { amountDue, type Invoice, type InvoiceStatus } from '../invoices/invoice.ts';
import { snapshotText, type InvoiceSnapshot } from '../invoices/invoice-snapshot.ts';
import { roundCents } from '../invoices/round-cents.ts';
import { creditNoteWebhook, invoiceWebhook } from '../webhooks/webhook-payloads.ts';
import type { InvoiceTerms } from './invoice-content.ts';
import { nextNumber, requireInvoice } from './invoice-table.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { isMonth, monthOf, monthStartMs, nextMonth } from './month.ts';
import { balancesOf, entriesOf, post } from './posting.ts';
import { tell } from './told.ts';

const NONE = 0n as FemtoUsd;

/** What an act on an invoice is given. */
export interface InvoiceAct {
  readonly id: string;
  readonly terms: InvoiceTerms;
  readonly nowMs: number;
}

export interface NewInvoice {
  readonly id: string;
  readonly organization: string;
  /** UTC month, as `2026-11`. */
  readonly period: string;
  readonly nowMs: number;
}

export interface CreditNoteAct extends InvoiceAct {
  /** Id of the note. */
  readonly note: string;
  /** Whole cents above zero, tax included, and no more than is left of what the invoice charged. */
  readonly amount: FemtoUsd;
  readonly reason: string;
}

/** Within the caller's transaction, as all here. Throws `conflict` when the organization has one for that month. */
export async function createInvoice(db: Kysely<LedgerTables>, { id, organization, period, nowMs }: NewInvoice, terms: InvoiceTerms): Promise<Invoice> {
  if (!isMonth(period)) throw wrong('period', `expected a month, as "2026-11", got "${period.slice(0, 40)}"`);
  if (period > monthOf(nowMs)) throw wrong('period', `${period} has not begun`);
  const made = await db
    .insertInto('invoices')
    .values({ id, organization, period, status: 'draft', created_at_ms: nowMs })
    .onConflict((conflict) => conflict.columns(['organization', 'period']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (made === undefined) throw new MeridianError('conflict', { param: 'period', message: `${organization} has an invoice for ${period} already.` });
  return told(db, 'invoice.created', { id, terms, nowMs });
}

/** Fixes what a draft says, and gives it its number. What is used of that month from now on goes on a later one. */
export async function finalizeInvoice(db: Kysely<LedgerTables>, { id, terms, nowMs }: InvoiceAct): Promise<Invoice> {
  const { snapshot } = await inState(db, { id, terms, nowMs }, ['draft'], 'finalized');
  const { organization, period } = snapshot;
  const overAtMs = monthStartMs(nextMonth(period));
  if (nowMs < overAtMs) {
    throw new MeridianError('conflict', { param: 'period', message: `${period} is not over: its invoice can be finalized from ${instantText(overAtMs)} on.` });
  }
  const number = await nextNumber(db, terms.invoicePrefix);
  const set = { status: 'finalized', number, snapshot: snapshotText(snapshot), finalized_at_ms: nowMs, due_at_ms: nowMs + terms.dueDays * DAY_MS };
  await db.updateTable('invoices').set(set).where('id', '=', id).execute();
  await db
    .insertInto('closed_months')
    .values({ organization, month: period })
    .onConflict((conflict) => conflict.column('organization').doUpdateSet({ month: period }).where('closed_months.month', '<', period))
    .execute();
  await post(db, { kind: 'invoice', organization, reference: id, recordedAtMs: nowMs, entries: await issued(db, snapshot) });
  return told(db, 'invoice.finalized', { id, terms, nowMs });
}

export async function payInvoice(db: Kysely<LedgerTables>, act: InvoiceAct): Promise<Invoice> {
  const invoice = await inState(db, act, ['finalized'], 'paid');
  const due = amountDue(invoice);
  await db.updateTable('invoices').set({ status: 'paid', paid_at_ms: act.nowMs }).where('id', '=', act.id).execute();
  await post(db, { kind: 'payment', organization: invoice.snapshot.organization, reference: act.id, recordedAtMs: act.nowMs, entries: { cash: due, receivable: opposite(due) } });
  return told(db, 'invoice.paid', act);
}

/** It is as if it had not been sent: nothing of it is due, what it used of the credit is there again, and its events are on no other. */
export async function voidInvoice(db: Kysely<LedgerTables>, act: InvoiceAct): Promise<Invoice> {
  const { snapshot, creditNotes } = await inState(db, act, ['finalized', 'uncollectible'], 'void');
  if (creditNotes.length > 0) throw new MeridianError('conflict', { param: 'status', message: `Invoice ${act.id} has credit notes, and cannot be voided any more.` });
  await db.updateTable('invoices').set({ status: 'void', voided_at_ms: act.nowMs }).where('id', '=', act.id).execute();
  const { organization, subtotal, rounding, taxes, total } = snapshot;
  const used = await entriesOf(db, 'invoice', act.id);
  const wasWrittenOff = (await entriesOf(db, 'write-off', act.id)) !== null;
  await post(db, {
    kind: 'void',
    organization,
    reference: act.id,
    recordedAtMs: act.nowMs,
    entries: {
      receivable: wasWrittenOff ? NONE : opposite(total),
      granted_credit: opposite(used?.granted_credit ?? NONE),
      paid_credit: opposite(used?.paid_credit ?? NONE),
      tax: sumOf(taxes.map(({ amount }) => amount)),
      rounding,
      written_off: wasWrittenOff ? sumOf([subtotal, opposite(total)]) : subtotal,
    },
  });
  return told(db, 'invoice.voided', act);
}

/** Nobody expects it to be paid any more. */
export async function writeOffInvoice(db: Kysely<LedgerTables>, act: InvoiceAct): Promise<Invoice> {
  const invoice = await inState(db, act, ['finalized'], 'uncollectible');
  const due = amountDue(invoice);
  await db.updateTable('invoices').set({ status: 'uncollectible' }).where('id', '=', act.id).execute();
  await post(db, { kind: 'write-off', organization: invoice.snapshot.organization, reference: act.id, recordedAtMs: act.nowMs, entries: { written_off: due, receivable: opposite(due) } });
  return requireInvoice(db, act.id, act.terms);
}

/** Gives `amount` back: less is due, and what is paid already becomes credit. */
export async function creditInvoice(db: Kysely<LedgerTables>, { note, amount, reason, ...act }: CreditNoteAct): Promise<Invoice> {
  const before = await inState(db, act, ['finalized', 'paid'], 'corrected by a credit note');
  const { snapshot, creditNotes } = before;
  const given = sumOf(creditNotes.map((earlier) => earlier.amount));
  const left = sumOf([chargedBy(snapshot), opposite(given)]);
  if (amount <= 0n || amount !== roundCents(amount)) throw wrong('amount_usd', 'expected whole cents above zero');
  if (amount > left) throw new MeridianError('conflict', { param: 'amount_usd', message: `More than is left of invoice ${act.id}: $${usdText(left > 0n ? left : NONE)}.` });
  const issue = await entriesOf(db, 'invoice', act.id);
  const { revenue, tax, receivable, paidCredit, grantedCredit } = splitCreditNote(amount, { snapshot, grantedUsed: issue?.granted_credit ?? NONE, before: given, due: amountDue(before) });
  const number = await nextNumber(db, act.terms.creditNotePrefix);
  await db.insertInto('credit_notes').values({ id: note, number, invoice: act.id, amount: String(amount), reason, created_at_ms: act.nowMs }).execute();
  const entries = { revenue, tax, receivable: opposite(receivable), paid_credit: opposite(paidCredit), granted_credit: opposite(grantedCredit) };
  await post(db, { kind: 'credit note', organization: snapshot.organization, reference: note, recordedAtMs: act.nowMs, entries });
  const invoice = await requireInvoice(db, act.id, act.terms);
  const made = invoice.creditNotes.find(({ id }) => id === note);
  if (made !== undefined) await tell(db, creditNoteWebhook(invoice, made), act.nowMs);
  return invoice;
}

async function told(db: Kysely<LedgerTables>, type: 'invoice.created' | 'invoice.finalized' | 'invoice.paid' | 'invoice.voided', { id, terms, nowMs }: InvoiceAct): Promise<Invoice> {
  const invoice = await requireInvoice(db, id, terms);
  await tell(db, invoiceWebhook(type, invoice), nowMs);
  return invoice;
}

/** Granted credit is used before what was paid for. */
async function issued(db: Kysely<LedgerTables>, { organization, subtotal, rounding, taxes, credits, total }: InvoiceSnapshot) {
  const { granted_credit: granted } = await balancesOf(db, organization);
  const fromGranted = credits <= 0n ? NONE : credits < opposite(granted) ? credits : opposite(granted);
  return {
    receivable: total,
    granted_credit: fromGranted,
    paid_credit: sumOf([credits, opposite(fromGranted)]),
    tax: opposite(sumOf(taxes.map(({ amount }) => amount))),
    rounding: opposite(rounding),
    unbilled: opposite(subtotal),
  };
}

async function inState(db: Kysely<LedgerTables>, { id, terms }: InvoiceAct, states: readonly InvoiceStatus[], wanted: string): Promise<Invoice> {
  const invoice = await requireInvoice(db, id, terms);
  if (states.includes(invoice.status)) return invoice;
  throw new MeridianError('conflict', { param: 'status', message: `Invoice ${id} is ${invoice.status}; only one that is ${states.join(' or ')} can be ${wanted}.` });
}

function wrong(param: string, what: string): MeridianError {
  return new MeridianError('invalid_value', { param, message: `Invalid value for '${param}': ${what}.` });
}
