import { MeridianError, opposite, sumOf, ulid, type Clock, type FemtoUsd, type InTurn } from '../core/index.ts';
import type { Spending } from './holds/spending.ts';
import type { Invoice } from './invoices/invoice.ts';
import type { InvoiceTerms } from './ledger/invoice-content.ts';
import type { LedgerFeed } from './ledger/ledger-feed.ts';
import type { Ledger, ListQuery } from './ledger/ledger.ts';

export interface InvoiceDeskOptions {
  readonly ledger: Ledger;
  readonly spending: Spending;
  readonly feed: Pick<LedgerFeed, 'catchUp'>;
  readonly clock: Clock;
  /** See `DeskOptions`: the same one. */
  readonly turns: InTurn;
  /** What stands on invoices besides what was used. */
  readonly terms: () => InvoiceTerms | Promise<InvoiceTerms>;
}

/** What can be done with an invoice, besides correcting it. */
export const INVOICE_ACTS = ['finalize', 'pay', 'void', 'write_off'] as const;

export type InvoiceActName = (typeof INVOICE_ACTS)[number];

/** Where operators make invoices, and say what became of them. Rejects as the ledger does. */
export class InvoiceDesk {
  readonly #options: InvoiceDeskOptions;

  constructor(options: InvoiceDeskOptions) {
    this.#options = options;
  }

  /** A draft for a month. */
  async create(organization: string, period: string): Promise<Invoice> {
    const { ledger, feed, clock, terms } = this.#options;
    await feed.catchUp();
    const nowMs = clock.wallMs();
    return ledger.createInvoice({ id: `inv_${ulid(nowMs)}`, organization, period, nowMs }, await terms());
  }

  /** Rejects with `not_found`. */
  async get(id: string): Promise<Invoice> {
    const { ledger, feed, terms } = this.#options;
    await feed.catchUp();
    const invoice = await ledger.invoice(id, await terms());
    if (invoice !== null) return invoice;
    throw new MeridianError('not_found', { param: 'id', message: `There is no invoice '${id}'.` });
  }

  /** The invoice of a month; where there is none, what it would say now. */
  async ofMonth(organization: string, period: string): Promise<Invoice> {
    const { ledger, feed, clock, terms } = this.#options;
    await feed.catchUp();
    const known = await ledger.invoiceOf(organization, period, await terms());
    if (known !== null) return known;
    const snapshot = await ledger.previewInvoice(organization, period, await terms());
    return { id: 'preview', status: 'draft', number: null, createdAtMs: clock.wallMs(), finalizedAtMs: null, dueAtMs: null, paidAtMs: null, voidedAtMs: null, snapshot, creditNotes: [] };
  }

  async list(query: ListQuery): Promise<readonly Invoice[]> {
    const { ledger, terms } = this.#options;
    return ledger.invoices(query, await terms());
  }

  act(id: string, name: InvoiceActName): Promise<Invoice> {
    return this.#options.turns.run(() => this.#act(id, name));
  }

  async #act(id: string, name: InvoiceActName): Promise<Invoice> {
    const { ledger, feed, clock, terms, spending } = this.#options;
    const act = { id, terms: await terms(), nowMs: clock.wallMs() };
    switch (name) {
      case 'finalize': {
        await feed.catchUp();
        const invoice = await ledger.finalizeInvoice(act);
        const { organization, subtotal, credits } = invoice.snapshot;
        // What was used is the invoice's now, and so is the credit that pays for it: taxes and rounding make the difference.
        spending.raiseCredit(organization, sumOf([subtotal, opposite(credits)]));
        return invoice;
      }
      case 'pay':
        return ledger.payInvoice(act);
      case 'void': {
        const invoice = await ledger.voidInvoice(act);
        spending.raiseCredit(invoice.snapshot.organization, invoice.snapshot.credits);
        return invoice;
      }
      case 'write_off':
        return ledger.writeOffInvoice(act);
    }
  }

  /** Gives a part back by a credit note. */
  credit(id: string, amount: FemtoUsd, reason: string): Promise<Invoice> {
    const { ledger, clock, terms, spending, turns } = this.#options;
    return turns.run(async () => {
      const nowMs = clock.wallMs();
      const invoice = await ledger.creditInvoice({ id, terms: await terms(), nowMs, note: `cn_${ulid(nowMs)}`, amount, reason });
      const made = invoice.creditNotes.at(-1);
      if (made !== undefined) spending.raiseCredit(invoice.snapshot.organization, made.credited);
      return invoice;
    });
  }
}
