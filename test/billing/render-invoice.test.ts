import { inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { draftInvoice, INVOICE_FORMATS, renderInvoice, type ChargeSum, type Invoice, type InvoiceFormat } from '../../src/billing/index.ts';
import { costOf, nanoUsdPerMTok, parseUsd, sumOf, usdText, type FemtoUsd } from '../../src/core/index.ts';

const AT_MS = Date.UTC(2026, 10, 1);

function charge(project: string, model: string, times: number, change: Partial<ChargeSum> = {}): ChargeSum {
  const tokens = { input: 1_234_567 * times, inputCached: 7_654_321 * times, output: 345_678 * times };
  const prices = { input: 560_000_001, inputCached: 70_000_000, output: 1_680_000_000 };
  const cost = (kind: keyof typeof tokens): FemtoUsd => costOf(tokens[kind], nanoUsdPerMTok(prices[kind]));
  return { month: '2026-10', project, model, tier: 'standard', priceRow: 'price_a', window: null, tokens, prices, amounts: { input: cost('input'), inputCached: cost('inputCached'), output: cost('output') }, ...change };
}

function invoiceOf(charges: readonly ChargeSum[], change: Partial<Invoice> = {}, names: Readonly<Record<string, string>> = {}): Invoice {
  const snapshot = draftInvoice({
    organization: 'org_acme',
    period: '2026-10',
    position: 42,
    seller: { name: 'Rechenzentrum Süd', address: ['Straße 1'], country: 'DE', tax_ids: [{ type: 'eu_vat', value: 'DE123' }] },
    buyer: { name: 'Acme', address: [], country: 'US', reference: 'PO-7' },
    footer: 'Pay within 30 days.',
    taxes: [{ name: 'VAT', basis_points: 1_900 }],
    charges,
    projectNames: names,
    creditAvailable: 10n ** 15n as FemtoUsd,
  });
  return { id: 'inv_1', status: 'finalized', number: 'INV-000001', createdAtMs: AT_MS, finalizedAtMs: AT_MS, dueAtMs: AT_MS, paidAtMs: null, voidedAtMs: null, snapshot, creditNotes: [], ...change };
}

async function text(invoice: Invoice, format: InvoiceFormat): Promise<string> {
  return (await renderInvoice(invoice, format)).body.toString('utf8');
}

/** Cells of a CSV file. */
function cellsOf(csv: string): string[][] {
  return csv.split('\r\n').slice(0, -1).map((line) => [...line.matchAll(/(?:^|,)("(?:[^"]|"")*"|[^,]*)/g)].map(([, cell = '']) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell)));
}

interface Drawn {
  readonly text: string;
  /** Points from the left and lower edges. */
  readonly x: number;
  readonly y: number;
}

/** The texts on each page of a PDF, in the order of drawing. */
function drawnOn(pdf: Buffer): Drawn[][] {
  const body = pdf.toString('latin1');
  const streams = [...body.matchAll(/stream\n([\s\S]*?)\nendstream/g)].map(([, bytes = '']) => inflateSync(Buffer.from(bytes, 'latin1')).toString('latin1'));
  const pages = streams.filter((stream) => stream.includes('BT'));
  return pages.map((page) => [...page.matchAll(/1 0 0 1 (\S+) (\S+) Tm[^[]*\[(.*?)\] TJ/g)].map(([, x, y, pieces = '']) => ({ text: hexText(pieces), x: Number(x), y: Number(y) })));
}

function hexText(pieces: string): string {
  return [...pieces.matchAll(/<([0-9a-f]*)>/g)].map(([, hex = '']) => Buffer.from(hex, 'hex').toString('latin1')).join('');
}

/** What a reader sees on each page of a PDF. */
function pagesOf(pdf: Buffer): string[] {
  return drawnOn(pdf).map((page) => page.map(({ text: shown }) => shown).join('\n'));
}

const MANY = Array.from({ length: 60 }, (_, i) => charge(`proj_${i % 4}`, `model-${i}`, i + 1));

describe('an invoice', () => {
  test('as CSV adds up to its total, to the last digit', async () => {
    const [head = [], ...rows] = cellsOf(await text(invoiceOf(MANY), 'csv'));
    const amounts = rows.map((row) => ({ kind: row[head.indexOf('kind')], amount: parseUsd(row[head.indexOf('amount_usd')] ?? '') ?? (0n as FemtoUsd) }));
    const total = amounts.find(({ kind }) => kind === 'total')?.amount;
    expect(amounts.filter(({ kind }) => kind === 'line')).toHaveLength(180);
    expect(sumOf(amounts.filter(({ kind }) => kind !== 'total').map(({ amount }) => amount))).toBe(total);
    expect(total).toBe(invoiceOf(MANY).snapshot.total);
  });

  test('as CSV has no formulas, and keeps texts whole', async () => {
    const rows = cellsOf(await text(invoiceOf([charge('p', '=HYPERLINK("x")', 1, { window: 'a "quiet", night' })]), 'csv'));
    expect(rows[1]).toContain('\'=HYPERLINK("x")');
    expect(rows[1]).toContain('a "quiet", night');
    expect(new Set(rows.map(({ length }) => length)).size).toBe(1);
  });

  test('as HTML shows every amount, and takes no text for markup', async () => {
    const invoice = invoiceOf([...MANY, charge('p', '<script>alert(1)</script>', 1)], {}, { p: '"A" & \'B\'' });
    const html = await text(invoice, 'html');
    for (const { amount } of invoice.snapshot.lines) expect(html).toContain(`$${usdText(amount)}`.replace(/(\d)(?=(\d{3})+\.)/g, '$1,'));
    expect(html).not.toContain('<script');
    expect(html).toContain('&quot;A&quot; &amp; &#39;B&#39;');
    for (const shown of ['Rechenzentrum Süd', 'EU VAT DE123', 'PO-7', 'VAT 19 %', 'Credit used', 'Pay within 30 days.']) expect(html).toContain(shown);
    expect(html).not.toMatch(/(src|href)=/);
  });

  test('as PDF has its head on every page of the table, page numbers, and every amount', async () => {
    const invoice = invoiceOf(MANY);
    const pages = pagesOf((await renderInvoice(invoice, 'pdf')).body);
    expect(pages.length).toBeGreaterThan(3);
    for (const [i, page] of pages.entries()) expect(page).toContain(`page ${i + 1} of ${pages.length}`);
    for (const page of pages.slice(0, -1)) expect(page).toContain('PER 1M TOKENS');
    const all = pages.join('\n');
    for (const { amount } of invoice.snapshot.lines) expect(all).toContain(`$${usdText(amount)}`.replace(/(\d)(?=(\d{3})+\.)/g, '$1,'));
    for (const shown of ['Rechenzentrum Süd', 'Invoice INV-000001', 'Subtotal', 'Rounding to the cent', 'Amount due', 'Pay within 30 days.']) expect(all).toContain(shown);
  });

  test('as PDF carries forward what the lines on the pages before come to', async () => {
    const invoice = invoiceOf(MANY);
    const pages = drawnOn((await renderInvoice(invoice, 'pdf')).body);
    const ofLines = new Set(invoice.snapshot.lines.map(({ amount }) => usdText(amount)));
    let before = 0n;
    let carriedPages = 0;
    for (const [i, page] of pages.entries()) {
      const texts = page.map(({ text: shown }) => shown);
      const at = texts.indexOf('Carried forward');
      if (i > 0 && texts.includes('PER 1M TOKENS')) {
        carriedPages += 1;
        expect(parseUsd((texts[at + 1] ?? '').replace(/[$,]/g, ''))).toBe(before);
      }
      // A line is its quantity, price and amount, and then what it is for.
      for (const [j, shown] of texts.entries()) {
        const amount = texts[j - 1]?.replace(/[$,]/g, '') ?? '';
        if (/^model-\d+, /.test(shown) && ofLines.has(amount)) before += parseUsd(amount) ?? 0n;
      }
    }
    expect(carriedPages).toBeGreaterThan(2);
    expect(before).toBe(invoice.snapshot.subtotal);
  });

  test('as PDF breaks long texts, and puts none beside the page or over its foot', async () => {
    const long = invoiceOf(Array.from({ length: 40 }, (_, i) => charge('p'.repeat(150), `models/${'long-name-'.repeat(9)}${i}`, i + 1, { window: 'quiet '.repeat(20), tier: 'batch' })));
    const buyer = { name: 'Acme', address: [], country: 'US', reference: 'agreement '.repeat(9) };
    const footer = Array.from({ length: 150 }, (_, i) => `Clause ${i}.`).join('\n');
    const tax = { name: 'tax on what is used '.repeat(3), basisPoints: 0, amount: 0n as FemtoUsd };
    const pages = drawnOn((await renderInvoice({ ...long, snapshot: { ...long.snapshot, buyer, footer, taxes: [tax] } }, 'pdf')).body);
    for (const page of pages) {
      const foot = page.find(({ text: shown }) => shown.includes(`of ${pages.length}`))?.y ?? Number.NaN;
      for (const { text: shown, x, y } of page.filter(({ y: height }) => height !== foot)) {
        expect({ shown, isAboveFoot: y > foot + 5, isBelowHead: y < 842 - 48 }).toEqual({ shown, isAboveFoot: true, isBelowHead: true });
        if (shown.includes('agreement')) expect(x).toBeGreaterThan(48 + 330);
      }
    }
    const shown = pages.flat().map(({ text: one }) => one.trim());
    for (let i = 0; i < 150; i += 1) expect(shown.filter((one) => one === `Clause ${i}.`)).toHaveLength(1);
    expect(shown.filter((one) => one.startsWith('tax on what')).length).toBe(1);
    expect(shown).not.toContain(`${tax.name}0 %`);
  });

  test.each(INVOICE_FORMATS)('as %s is the same bytes each time', async (format) => {
    const [one, two] = [await renderInvoice(invoiceOf(MANY), format), await renderInvoice(invoiceOf(MANY.toReversed()), format)];
    expect(one.body.equals(two.body)).toBe(true);
    expect(one.filename).toBe(`INV-000001-org_acme-2026-10.${format}`);
  });

  test.each([
    ['draft', { number: null, finalizedAtMs: null, dueAtMs: null }],
    ['paid', { paidAtMs: AT_MS }],
    ['void', { voidedAtMs: AT_MS }],
  ] as const)('that is %s says so on its face', async (status, change) => {
    const invoice = invoiceOf([charge('p', 'm', 1)], { status, ...change });
    expect(await text(invoice, 'html')).toContain(`>${status.toUpperCase()}<`);
    expect(pagesOf((await renderInvoice(invoice, 'pdf')).body).join()).toContain(status.toUpperCase());
    expect(JSON.parse(await text(invoice, 'json'))).toMatchObject({ status, amount_due_usd: '0.00' });
  });

  test('shows its credit notes and what is still due', async () => {
    const note = { id: 'cn_1', number: 'CN-000001', invoice: 'inv_1', amount: 10n ** 13n as FemtoUsd, tax: 0n as FemtoUsd, credited: 0n as FemtoUsd, reason: 'an outage', createdAtMs: AT_MS };
    const invoice = invoiceOf(MANY, { creditNotes: [note] });
    const due = usdText((invoice.snapshot.total - 10n ** 13n) as FemtoUsd);
    expect(JSON.parse(await text(invoice, 'json'))).toMatchObject({ amount_due_usd: due, credit_notes: [{ number: 'CN-000001', amount_usd: '0.01' }] });
    expect(await text(invoice, 'html')).toContain('Credit note CN-000001 of 2026-11-01: $0.01 (an outage).');
  });

  test('shows letters that the fonts of a PDF lack as question marks, and keeps them elsewhere', async () => {
    const invoice = invoiceOf([charge('p', 'm', 1)], {}, { p: 'Überprüfung 検索 – €' });
    expect(pagesOf((await renderInvoice(invoice, 'pdf')).body).join()).toContain('Überprüfung ??');
    expect(await text(invoice, 'html')).toContain('検索');
  });

  test('of a month in which nothing was used says that', async () => {
    const invoice = invoiceOf([]);
    expect(await text(invoice, 'html')).toContain('Nothing was used');
    expect(pagesOf((await renderInvoice(invoice, 'pdf')).body)).toHaveLength(1);
  });
});
