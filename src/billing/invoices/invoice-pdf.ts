import { dateOf } from '../../core/index.ts';
import type { DocumentRow, InvoiceDocument, LineGroup } from './invoice-document.ts';
import { PdfPage } from './pdf-page.ts';

/** Columns of the table: from the left, in points of an A4 page. */
const QUANTITY_RIGHT = 285;
const PRICE_RIGHT = 362;
const FACTS_LEFT = 330;
const TOTALS_LEFT = 260;
const FACT_LABEL_WIDTH = 72;

const DESCRIPTION = { width: QUANTITY_RIGHT - 85 };
const DETAIL = { size: 8, isFaint: true, width: QUANTITY_RIGHT - 85 };

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
    page.text(label, { left: FACTS_LEFT, isFaint: true });
    page.down(page.text(value, { right: page.width, width: page.width - FACTS_LEFT - FACT_LABEL_WIDTH }) + 3);
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
  for (const group of groups) lineGroup(page, group);
}

function lineGroup(page: PdfPage, { title, rows, subtotal }: LineGroup): void {
  const heading = { isBold: true, width: page.width };
  for (const [i, row] of rows.entries()) {
    // A heading stays with its first line, and a project's total with its last.
    const before = i === 0 ? page.heightOf(title, heading) + 9 : 0;
    const after = i === rows.length - 1 ? 24 : 0;
    page.need(before + rowHeight(page, row) + after, (next) => tableHeadAgain(next, row.carried));
    if (i === 0) {
      page.down(4);
      page.down(page.text(title, heading) + 5);
    }
    line(page, row);
  }
  page.text('Project total', { right: PRICE_RIGHT, isFaint: true });
  page.text(subtotal, { right: page.width, isBold: true });
  page.down(22);
}

function tableHeadAgain(page: PdfPage, carried: string): void {
  tableHead(page);
  page.text('Carried forward', { isFaint: true });
  page.text(carried, { right: page.width, isFaint: true });
  page.down(12);
  page.rule(0.3);
  page.down(4);
}

function rowHeight(page: PdfPage, { description, detail }: DocumentRow): number {
  return page.heightOf(description, DESCRIPTION) + (detail === '' ? 0 : page.heightOf(detail, DETAIL) + 1) + 7;
}

function line(page: PdfPage, { description, detail, quantity, unitPrice, amount }: DocumentRow): void {
  page.text(quantity, { right: QUANTITY_RIGHT });
  page.text(unitPrice, { right: PRICE_RIGHT });
  page.text(amount, { right: page.width });
  page.down(page.text(description, DESCRIPTION) + 1);
  if (detail !== '') page.down(page.text(detail, DETAIL) + 1);
  page.down(2);
  page.rule(0.3);
  page.down(4);
}

/** Never parted. */
function totals(page: PdfPage, { totals: list }: InvoiceDocument): void {
  const rows = list.map(({ label, value, isStrong: isBold }) => {
    const style = { left: TOTALS_LEFT, isBold, width: page.width - TOTALS_LEFT - page.widthOf(value, { isBold }) - 8 };
    return { label, value, isBold, style, height: page.heightOf(label, style) + 6 };
  });
  page.need(rows.reduce((sum, { height, isBold }) => sum + height + (isBold ? 6 : 0), 6));
  page.down(6);
  for (const { label, value, isBold, style, height } of rows) {
    if (isBold) {
      page.rule(0.8, TOTALS_LEFT);
      page.down(6);
    }
    page.text(label, style);
    page.text(value, { right: page.width, isBold });
    page.down(height);
  }
  page.down(14);
}

function notes(page: PdfPage, { notes: list }: InvoiceDocument): void {
  const style = { isFaint: true, width: page.width };
  for (const note of list) {
    for (const line of note.split('\n')) {
      // An empty line has a height too.
      const paragraph = line === '' ? ' ' : line;
      page.need(page.heightOf(paragraph, style));
      page.down(page.text(paragraph, style));
    }
    page.down(6);
  }
}
