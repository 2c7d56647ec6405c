import type { Kysely } from 'kysely';
import type { ChargeSum } from '../invoices/charge-sum.ts';
import { draftInvoice } from '../invoices/draft-invoice.ts';
import type { InvoiceSnapshot } from '../invoices/invoice-snapshot.ts';
import type { Party, TaxRate } from '../invoices/party.ts';
import { opposite, sumOf, type FemtoUsd } from '../../core/index.ts';
import type { PriceTier } from '../prices/price-book.ts';
import { findCustomer } from './customer-table.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { balancesOf } from './posting.ts';
import { chargeOfSums } from './token-sums.ts';

/** What stands on every invoice of a seller, and what the ledger does not know of the buyer. */
export interface InvoiceTerms {
  readonly seller: Party | null;
  readonly footer: string;
  /** First part of the numbers of invoices, and of credit notes. */
  readonly invoicePrefix: string;
  readonly creditNotePrefix: string;
  /** From finalization on. */
  readonly dueDays: number;
  readonly projectNames: Readonly<Record<string, string>>;
}

/** What the invoice of a month would say now. */
export async function invoiceContent(db: Kysely<LedgerTables>, organization: string, period: string, terms: InvoiceTerms): Promise<InvoiceSnapshot> {
  const rows = await db
    .selectFrom('charges')
    .innerJoin('meters', 'meters.id', 'charges.meter')
    .selectAll('meters')
    .select(['charges.month', 'charges.requests', 'charges.prompt_tokens', 'charges.cached_tokens', 'charges.completion_tokens', 'charges.reasoning_tokens', 'charges.last_seq'])
    .where('charges.organization', '=', organization)
    .where('charges.invoice_month', '=', period)
    .execute();
  const { buyer, taxes } = await findCustomer(db, organization);
  return draftInvoice({
    organization,
    period,
    position: Math.max(0, ...rows.map(({ last_seq: seq }) => seq)),
    seller: terms.seller,
    buyer: buyer as Party | null,
    footer: terms.footer,
    taxes: taxes as readonly TaxRate[],
    charges: rows.map(
      (row): ChargeSum => ({
        month: row.month,
        project: row.project,
        model: row.model,
        tier: row.tier as PriceTier,
        priceRow: row.price_row,
        window: row.price_window,
        prices: { input: row.price_input, inputCached: row.price_input_cached, output: row.price_output },
        tokens: { input: row.prompt_tokens - row.cached_tokens, inputCached: row.cached_tokens, output: row.completion_tokens },
        amounts: chargeOfSums(row, row),
      }),
    ),
    projectNames: terms.projectNames,
    creditAvailable: await creditOf(db, organization),
  });
}

async function creditOf(db: Kysely<LedgerTables>, organization: string): Promise<FemtoUsd> {
  const { paid_credit: paid, granted_credit: granted } = await balancesOf(db, organization);
  return opposite(sumOf([paid, granted]));
}
