import { epochSeconds, usdText } from '../../core/index.ts';
import { amountDue, type Invoice } from './invoice.ts';

/** The invoice for programs: amounts as exact dollars in text, times in seconds since the epoch. */
export function invoiceJson(invoice: Invoice) {
  const { id, status, number, createdAtMs, finalizedAtMs, dueAtMs, paidAtMs, voidedAtMs, snapshot, creditNotes } = invoice;
  const { organization, period, position, currency, seller, buyer, footer, lines, subtotal, rounding, taxes, credits, total } = snapshot;
  return {
    object: 'invoice' as const,
    id,
    status,
    number,
    organization,
    period,
    position,
    currency: currency.toLowerCase(),
    created_at: epochSeconds(createdAtMs),
    finalized_at: epochSeconds(finalizedAtMs),
    due_at: epochSeconds(dueAtMs),
    paid_at: epochSeconds(paidAtMs),
    voided_at: epochSeconds(voidedAtMs),
    seller,
    buyer,
    lines: lines.map((line) => ({
      project: line.project,
      project_name: line.projectName,
      model: line.model,
      token_class: line.tokenClass === 'inputCached' ? 'input_cached' : line.tokenClass,
      tier: line.tier,
      price_id: line.priceRow,
      window: line.window,
      month: line.month,
      quantity: line.quantity,
      unit_price_nano_usd: line.unitPrice,
      amount_usd: usdText(line.amount),
    })),
    subtotal_usd: usdText(subtotal),
    rounding_usd: usdText(rounding),
    taxes: taxes.map(({ name, basisPoints, amount }) => ({ name, basis_points: basisPoints, amount_usd: usdText(amount) })),
    credits_usd: usdText(credits),
    total_usd: usdText(total),
    amount_due_usd: usdText(amountDue(invoice)),
    credit_notes: creditNotes.map((note) => ({ id: note.id, number: note.number, amount_usd: usdText(note.amount), tax_usd: usdText(note.tax), credited_usd: usdText(note.credited), reason: note.reason, created_at: epochSeconds(note.createdAtMs) })),
    footer,
  };
}
