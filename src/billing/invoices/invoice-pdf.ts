import { dateOf } from '../../core/index.ts';
import type { DocumentRow, InvoiceDocument } from './invoice-document.ts';
import { PdfPage } from './pdf-page.ts';

/** Columns of the table: from the left, in points of an A4 page. */
const QUANTITY_RIGHT = 300;
const PRICE_RIGHT = 380;
const TOTALS_LEFT = 330;

/** As many pages of A4 as it takes. The same document is the same bytes. */
export async function invoicePdf(document: InvoiceDocument, issuedAtMs: number): Promise<Buffer> {
  const number = document.facts[0]?.[1] ?? '';
  const page = await PdfPage.open({ title: `${document.title} ${number}`, createdAt: dateOf(issuedAtMs) });
  head(page, document);
  parties(page, document);
  lines(page, document);
  totals(page, document);
  notes(page, document);
  return page.close((n, count) => `${document.title} ${number}  ·  page ${n} of ${count}`);
}

function head(page: PdfPage, { title, stamp, facts }: InvoiceDocument): void {
  page.text(title, { size: 22, isBold: true });
  if (stamp !== null) page.stamp(stamp);
  const top = page.y;
  for (const [label, value] of facts) {
    page.text(label, { left: TOTALS_LEFT, isFaint: true });
    page.text(value, { right: page.width });
    page.down(14);
  }
  page.y = Math.max(page.y, top + 40) + 8;
  page.rule(1.2);
  page.down(16);
}

function parties(page: PdfPage, { parties: list }: InvoiceDocument): void {
  const top = page.y;
  let bottom = top;
  for (const [i, { label, lines: texts }] of list.entries()) {
    const left = i * (page.width / 2);
    page.y = top;
    page.text(label.toUpperCase(), { left, size: 8, isFaint: true, isBold: true });
    page.down(14);
    for (const [at, text] of texts.entries()) {
      page.down(page.text(text, { left, isBold: at === 0, width: page.width / 2 - 20 }) + 2);
    }
    bottom = Math.max(bottom, page.y);
  }
  page.y = bottom + 18;
}

function tableHead(page: PdfPage): void {
  const style = { size: 8, isBold: true, isFaint: true };
  page.text('DESCRIPTION', style);
  page.text('QUANTITY', { ...style, right: QUANTITY_RIGHT });
  page.text('PER 1M TOKENS', { ...style, right: PRICE_RIGHT });
  page.text('AMOUNT', { ...style, right: page.width });
  page.down(13);
  page.rule(0.8);
  page.down(7);
}

function lines(page: PdfPage, { groups }: InvoiceDocument): void {
  tableHead(page);
  if (groups.length === 0) {
    page.text('Nothing was used in this period.', { isFaint: true });
    page.down(18);
  }
  for (const { title, rows, subtotal } of groups) {
    // A heading stays with its first line.
    page.need(54, tableHead);
    page.down(4);
    page.down(page.text(title, { isBold: true, width: page.width }) + 5);
    for (const row of rows) line(page, row);
    page.need(24, tableHead);
    page.text('Project total', { right: PRICE_RIGHT, isFaint: true });
    page.text(subtotal, { right: page.width, isBold: true });
    page.down(22);
  }
}

function line(page: PdfPage, { description, detail, quantity, unitPrice, amount }: DocumentRow): void {
  page.need(detail === '' ? 17 : 28, tableHead);
  page.text(quantity, { right: QUANTITY_RIGHT });
  page.text(unitPrice, { right: PRICE_RIGHT });
  page.text(amount, { right: page.width });
  page.down(page.text(description, { width: QUANTITY_RIGHT - 90 }) + 1);
  if (detail !== '') page.down(page.text(detail, { size: 8, isFaint: true, width: QUANTITY_RIGHT - 90 }) + 1);
  page.down(2);
  page.rule(0.3);
  page.down(4);
}

/** Never parted. */
function totals(page: PdfPage, { totals: list }: InvoiceDocument): void {
  page.need(18 * list.length + 10);
  page.down(6);
  for (const { label, value, isStrong } of list) {
    if (isStrong) {
      page.rule(0.8, TOTALS_LEFT);
      page.down(6);
    }
    page.text(label, { left: TOTALS_LEFT, isBold: isStrong });
    page.text(value, { right: page.width, isBold: isStrong });
    page.down(17);
  }
  page.down(14);
}

function notes(page: PdfPage, { notes: list }: InvoiceDocument): void {
  for (const note of list) {
    page.need(30);
    page.down(page.text(note, { isFaint: true, width: page.width }) + 6);
  }
}
