import { epochSeconds, usdText } from '../../core/index.ts';
import type { BudgetReached } from '../holds/spending.ts';
import { invoiceJson } from '../invoices/invoice-json.ts';
import type { CreditNote, Invoice } from '../invoices/invoice.ts';
import type { NewWebhookEvent } from './webhook-outbox.ts';

type Told = Pick<NewWebhookEvent, 'type' | 'organization' | 'data'>;

/** The invoice without its lines, of which there may be thousands: these are read by its id. */
export function invoiceWebhook(type: 'invoice.created' | 'invoice.finalized' | 'invoice.paid' | 'invoice.voided', invoice: Invoice): Told {
  const { lines: _, ...data } = invoiceJson(invoice);
  return { type, organization: invoice.snapshot.organization, data };
}

export function creditNoteWebhook(invoice: Invoice, note: CreditNote): Told {
  const data = {
    object: 'credit_note',
    id: note.id,
    number: note.number,
    organization: invoice.snapshot.organization,
    invoice: note.invoice,
    invoice_number: invoice.number,
    currency: invoice.snapshot.currency.toLowerCase(),
    amount_usd: usdText(note.amount),
    tax_usd: usdText(note.tax),
    credited_usd: usdText(note.credited),
    reason: note.reason,
    created_at: epochSeconds(note.createdAtMs),
  };
  return { type: 'credit_note.created', organization: invoice.snapshot.organization, data };
}

/** `budget.reached` when a hard budget is used up, and nothing more is served; a threshold is reached otherwise. */
export function budgetWebhook({ budget, period, percent, spent }: BudgetReached): Told {
  const type = budget.isHard && percent >= 100 ? 'budget.reached' : 'budget.threshold_reached';
  const data = {
    object: 'budget_reached',
    budget: budget.id,
    organization: budget.organization,
    scope: budget.scope,
    scope_id: budget.scopeId,
    period,
    percent,
    amount_usd: usdText(budget.amount),
    spent_usd: usdText(spent),
    hard: budget.isHard,
  };
  return { type, organization: budget.organization, data };
}
