import { instantText, nanoUsdPerMTok, opposite, perMillion, sumOf, usdText, type FemtoUsd } from '../../core/index.ts';
import { amountDue, type Invoice } from './invoice.ts';
import type { InvoiceLine, TokenClass } from './invoice-snapshot.ts';
import type { Party } from './party.ts';

/** An invoice as it is laid out, whatever it is drawn on. */
export interface InvoiceDocument {
  readonly title: string;
  /** What is printed across it; null for one that is simply to be paid. */
  readonly stamp: string | null;
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly parties: readonly { readonly label: string; readonly lines: readonly string[] }[];
  /** Lines by project. */
  readonly groups: readonly LineGroup[];
  readonly totals: readonly { readonly label: string; readonly value: string; readonly isStrong: boolean }[];
  readonly notes: readonly string[];
}

export interface LineGroup {
  readonly title: string;
  readonly rows: readonly DocumentRow[];
  readonly subtotal: string;
}

export interface DocumentRow {
  readonly description: string;
  readonly detail: string;
  readonly quantity: string;
  readonly unitPrice: string;
  readonly amount: string;
  /** What the lines before it come to, in all projects. */
  readonly carried: string;
}

const BASIS_POINTS_PER_PERCENT = 100;

const CLASS_NAMES: Readonly<Record<TokenClass, string>> = { input: 'input tokens', inputCached: 'cached input tokens', output: 'output tokens' };

export function invoiceDocument(invoice: Invoice): InvoiceDocument {
  const { snapshot, number, status, creditNotes } = invoice;
  const credits = creditNotes.map(({ number: note, reason, createdAtMs, amount, tax }) => `Credit note ${note} of ${day(createdAtMs)}: ${dollars(amount)}${tax === 0n ? '' : `, of which ${dollars(tax)} tax`} (${reason}).`);
  return {
    title: number === null ? 'Draft invoice' : 'Invoice',
    stamp: status === 'finalized' ? null : status.toUpperCase(),
    facts: factsOf(invoice),
    parties: [
      { label: 'From', lines: partyLines(snapshot.seller, 'Seller not set') },
      { label: 'Bill to', lines: partyLines(snapshot.buyer, snapshot.organization) },
    ],
    groups: groupsOf(snapshot.lines, snapshot.period),
    totals: totalsOf(invoice),
    notes: [...credits, ...(snapshot.footer === '' ? [] : [snapshot.footer])],
  };
}

/** Digits in threes: 1,234,567. */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

function factsOf({ number, finalizedAtMs, dueAtMs, paidAtMs, voidedAtMs, snapshot }: Invoice): [string, string][] {
  const dates: [string, number | null][] = [
    ['Issued', finalizedAtMs],
    ['Due', dueAtMs],
    ['Paid', paidAtMs],
    ['Voided', voidedAtMs],
  ];
  return [
    ['Number', number ?? 'none yet'],
    ...dates.flatMap(([label, atMs]): [string, string][] => (atMs === null ? [] : [[label, day(atMs)]])),
    ['Period', `${snapshot.period} (UTC)`],
    ['Currency', snapshot.currency],
    ...(snapshot.buyer?.reference === undefined ? [] : [['Your reference', snapshot.buyer.reference] as [string, string]]),
  ];
}

function partyLines(party: Party | null, unknown: string): string[] {
  if (party === null) return [unknown];
  const taxIds = (party.tax_ids ?? []).map(({ type, value }) => `${type.replaceAll('_', ' ').toUpperCase()} ${value}`);
  return [party.name, ...party.address, party.country, ...taxIds, ...(party.email === undefined ? [] : [party.email])];
}

function groupsOf(lines: readonly InvoiceLine[], period: string): LineGroup[] {
  const byProject = Map.groupBy(lines, ({ project }) => project);
  let carried = 0n as FemtoUsd;
  return [...byProject.values()].map((own) => ({
    title: projectTitle(own[0]),
    rows: own.map((line) => {
      const row = rowOf(line, period, carried);
      carried = sumOf([carried, line.amount]);
      return row;
    }),
    subtotal: dollars(sumOf(own.map(({ amount }) => amount))),
  }));
}

function projectTitle(line: InvoiceLine | undefined): string {
  if (line === undefined) return '';
  return line.projectName === line.project ? line.project : `${line.projectName} (${line.project})`;
}

function rowOf({ model, tokenClass, tier, window, month, quantity, unitPrice, amount }: InvoiceLine, period: string, carried: FemtoUsd): DocumentRow {
  const details = [month === period ? null : `used in ${month}`, window === null ? null : `${window} hours`, tier === 'standard' ? null : `${tier} tier`];
  return {
    description: `${model}, ${CLASS_NAMES[tokenClass]}`,
    detail: details.filter((detail) => detail !== null).join(' · '),
    quantity: grouped(quantity),
    unitPrice: dollars(perMillion(nanoUsdPerMTok(unitPrice))),
    amount: dollars(amount),
    carried: dollars(carried),
  };
}

function totalsOf(invoice: Invoice): InvoiceDocument['totals'] {
  const { subtotal, rounding, taxes, credits, total } = invoice.snapshot;
  const noted = sumOf(invoice.creditNotes.map(({ amount }) => amount));
  const credited = sumOf(invoice.creditNotes.map((note) => note.credited));
  const weak = (label: string, amount: FemtoUsd) => ({ label, value: dollars(amount), isStrong: false });
  const strong = (label: string, amount: FemtoUsd) => ({ label, value: dollars(amount), isStrong: true });
  return [
    weak('Subtotal', subtotal),
    ...(rounding === 0n ? [] : [weak('Rounding to the cent', rounding)]),
    ...taxes.map(({ name, basisPoints, amount }) => weak(`${name} ${percent(basisPoints)}`, amount)),
    ...(credits === 0n ? [] : [weak(credits > 0n ? 'Credit used' : 'Added to your credit', opposite(credits))]),
    strong('Total', total),
    ...(noted === 0n ? [] : [weak('Credit notes', opposite(noted))]),
    ...(credited === 0n ? [] : [weak('of which added to your credit', credited)]),
    ...(invoice.status === 'draft' ? [] : [strong('Amount due', amountDue(invoice))]),
  ];
}

function percent(basisPoints: number): string {
  return `${basisPoints / BASIS_POINTS_PER_PERCENT} %`;
}

/** Exact, with the dollars in threes: -$1,234.56. */
function dollars(amount: FemtoUsd): string {
  const [whole = '', fraction = ''] = usdText(amount).replace('-', '').split('.');
  return `${amount < 0n ? '-' : ''}$${whole.replace(/\B(?=(\d{3})+$)/g, ',')}.${fraction}`;
}

function day(atMs: number): string {
  return instantText(atMs).slice(0, '2026-11-26'.length);
}
