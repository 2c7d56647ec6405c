import type { Balance, Budget, BudgetState, Credit, SpendingState } from './billing-account.ts';
import type { TakenOff } from './allowance-table.ts';
import type { SpendingTerms } from '../holds/shared-spending.ts';
import type { BudgetReached } from '../holds/spending.ts';
import type { PriceRow } from '../prices/price-book.ts';
import type { Customer } from './customer-table.ts';
import type { Invoice } from '../invoices/invoice.ts';
import type { InvoiceSnapshot } from '../invoices/invoice-snapshot.ts';
import type { CreditNoteAct, InvoiceAct, NewInvoice } from './invoice-acts.ts';
import type { InvoiceTerms } from './invoice-content.ts';
import type { LedgerEvent } from './ledger-event.ts';
import type { UsageQuery, UsageSum } from './usage-query.ts';

/** What a batch came to. */
export interface Applied {
  /** Events that were new. */
  readonly fresh: readonly LedgerEvent[];
  /** What they took off what the journal's gateway had set aside of budgets. */
  readonly takenOff: readonly TakenOff[];
}

/** What a journal has beyond what the ledger knows of it, in its order. */
export interface LedgerBatch {
  /** The journal. */
  readonly source: string;
  /** The place in it of the last of these events. */
  readonly position: number;
  readonly events: readonly LedgerEvent[];
  /** Wall time, milliseconds since the epoch. */
  readonly nowMs: number;
}

export interface ListQuery {
  readonly organization?: string | undefined;
  /** Id of the last one of the page before. */
  readonly after?: string | undefined;
  /** At most this many. */
  readonly limit: number;
}

/**
 * The books: rated events, double entry, and what is derived from them. What a call resolved is durable. All of a call is
 * written, or nothing of it. Amounts are exact.
 */
export interface Ledger {
  /** How far the journal was applied; 0 when nothing of it was. */
  position(source: string): Promise<number>;
  /**
   * Applies a batch and notes its position in one transaction. An event that was applied before, at any time and from
   * anywhere, changes nothing.
   */
  apply(batch: LedgerBatch): Promise<Applied>;
  usage(query: UsageQuery): Promise<readonly UsageSum[]>;
  /** Adds a row that holds at all hours to the price book. */
  addPrice(row: PriceRow, nowMs: number): Promise<void>;
  /** Rows that were added, in that order. */
  prices(): Promise<readonly PriceRow[]>;
  balance(organization: string): Promise<Balance>;
  customer(organization: string): Promise<Customer>;
  putCustomer(customer: Customer, nowMs: number): Promise<void>;
  /** Rejects with `invalid_value` unless the amount is above zero. */
  addCredit(credit: Credit): Promise<void>;
  credits(query: ListQuery): Promise<readonly Credit[]>;
  addBudget(budget: Budget): Promise<void>;
  /** With what is spent in the month of `nowMs`, or in all. */
  budget(id: string, nowMs: number): Promise<BudgetState | null>;
  budgets(query: ListQuery, nowMs: number): Promise<readonly BudgetState[]>;
  archiveBudget(id: string, nowMs: number): Promise<Budget | null>;
  /** Notes how much of a budget is reached, and has it told; false when that was noted before. */
  markBudget(reached: BudgetReached, nowMs: number): Promise<boolean>;
  /** A draft for a month that has begun. Rejects with `conflict` when the organization has an invoice for it. */
  createInvoice(draft: NewInvoice, terms: InvoiceTerms): Promise<Invoice>;
  invoice(id: string, terms: InvoiceTerms): Promise<Invoice | null>;
  invoiceOf(organization: string, period: string, terms: InvoiceTerms): Promise<Invoice | null>;
  invoices(query: ListQuery, terms: InvoiceTerms): Promise<readonly Invoice[]>;
  /** What the invoice of a month would say now: byte for byte what it says if it is finalized before anything else comes. */
  previewInvoice(organization: string, period: string, terms: InvoiceTerms): Promise<InvoiceSnapshot>;
  /** These reject with `conflict` when the invoice is in a state that does not allow it. */
  finalizeInvoice(act: InvoiceAct): Promise<Invoice>;
  payInvoice(act: InvoiceAct): Promise<Invoice>;
  voidInvoice(act: InvoiceAct): Promise<Invoice>;
  writeOffInvoice(act: InvoiceAct): Promise<Invoice>;
  creditInvoice(act: CreditNoteAct): Promise<Invoice>;
  /** What there is left to spend, in the month of `nowMs` and in all. */
  spendingState(nowMs: number): Promise<SpendingState>;
  /** Who is served for what was paid ahead, and which budgets there are. */
  spendingTerms(): Promise<SpendingTerms>;
  /** Drops single events that are older than so many whole months, where the database can; resolves with their months. */
  dropOldEvents(keptMonths: number, nowMs: number): Promise<readonly string[]>;
  /** Makes all projections again from events and entries. */
  rebuild(): Promise<void>;
  /** What does not add up or is not as it was written, in words; empty when all is well. */
  faults(): Promise<readonly string[]>;
  close(): Promise<void>;
}
