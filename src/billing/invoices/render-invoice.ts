import { invoiceCsv } from './invoice-csv.ts';
import { invoiceDocument } from './invoice-document.ts';
import { invoiceHtml } from './invoice-html.ts';
import { invoiceJson } from './invoice-json.ts';
import { invoicePdf } from './invoice-pdf.ts';
import type { Invoice } from './invoice.ts';

export const INVOICE_FORMATS = ['json', 'csv', 'html', 'pdf'] as const;

export type InvoiceFormat = (typeof INVOICE_FORMATS)[number];

export interface RenderedInvoice {
  readonly contentType: string;
  readonly filename: string;
  readonly body: Buffer;
}

/** The invoice in one of the formats; all say the same, and the same invoice is the same bytes. */
export async function renderInvoice(invoice: Invoice, format: InvoiceFormat): Promise<RenderedInvoice> {
  const name = `${invoice.number ?? 'draft'}-${invoice.snapshot.organization}-${invoice.snapshot.period}.${format}`;
  const filename = name.replace(/[^A-Za-z0-9._-]/g, '_');
  switch (format) {
    case 'json':
      return { contentType: 'application/json; charset=utf-8', filename, body: Buffer.from(`${JSON.stringify(invoiceJson(invoice), null, 2)}\n`) };
    case 'csv':
      return { contentType: 'text/csv; charset=utf-8', filename, body: Buffer.from(invoiceCsv(invoice)) };
    case 'html':
      return { contentType: 'text/html; charset=utf-8', filename, body: Buffer.from(invoiceHtml(invoiceDocument(invoice))) };
    case 'pdf':
      return { contentType: 'application/pdf', filename, body: await invoicePdf(invoiceDocument(invoice), invoice.finalizedAtMs ?? invoice.createdAtMs) };
  }
}
