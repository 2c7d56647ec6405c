import { opposite, sumOf, type FemtoUsd } from '../../core/index.ts';
import type { ChargeSum } from './charge-sum.ts';
import { TOKEN_CLASSES, type InvoiceLine, type InvoiceSnapshot } from './invoice-snapshot.ts';
import type { Party, TaxRate } from './party.ts';
import { floorCents, roundCents, taxOf } from './round-cents.ts';

export interface InvoiceDraft {
  readonly organization: string;
  readonly period: string;
  readonly position: number;
  readonly seller: Party | null;
  readonly buyer: Party | null;
  readonly footer: string;
  readonly taxes: readonly TaxRate[];
  /** In any order. */
  readonly charges: readonly ChargeSum[];
  readonly projectNames: Readonly<Record<string, string>>;
  /** Credit of the organization, 0 or more. */
  readonly creditAvailable: FemtoUsd;
}

/**
 * What the invoice of a month says. The lines are exact; their sum is rounded to the cent once, as a line of its own; each tax is
 * a share of that, rounded by itself; then credit is used, in whole cents.
 */
export function draftInvoice({ charges, taxes: rates, creditAvailable, projectNames, ...head }: InvoiceDraft): InvoiceSnapshot {
  const lines = mergedLines(charges, head.period, projectNames);
  const subtotal = sumOf(lines.map(({ amount }) => amount));
  const net = roundCents(subtotal);
  const taxes = rates.map(({ name, basis_points: basisPoints }) => ({ name, basisPoints, amount: taxOf(net, basisPoints) }));
  const gross = sumOf([net, ...taxes.map(({ amount }) => amount)]);
  const credits = gross < 0n ? gross : lesser(gross, floorCents(creditAvailable));
  return {
    organization: head.organization,
    period: head.period,
    position: head.position,
    currency: 'USD',
    seller: head.seller,
    buyer: head.buyer,
    footer: head.footer,
    lines,
    subtotal,
    rounding: sumOf([net, opposite(subtotal)]),
    taxes,
    credits,
    total: sumOf([gross, opposite(credits)]),
  };
}

function lesser(a: FemtoUsd, b: FemtoUsd): FemtoUsd {
  return a < b ? a : b;
}

/** One line for what differs in nothing that a line says, in an order that follows from what they say. */
function mergedLines(charges: readonly ChargeSum[], period: string, projectNames: Readonly<Record<string, string>>): InvoiceLine[] {
  const merged = new Map<string, InvoiceLine>();
  for (const line of charges.flatMap((charge) => linesOf(charge, projectNames))) {
    const key = sortKey(line, period);
    const before = merged.get(key);
    merged.set(key, before === undefined ? line : { ...before, quantity: before.quantity + line.quantity, amount: sumOf([before.amount, line.amount]) });
  }
  const inOrder = [...merged].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return inOrder.map(([, line]) => line).filter(({ quantity, amount }) => quantity !== 0 || amount !== 0n);
}

function linesOf({ project, model, tier, priceRow, window, month, tokens, prices, amounts }: ChargeSum, names: Readonly<Record<string, string>>): InvoiceLine[] {
  return TOKEN_CLASSES.map((tokenClass) => ({
    project,
    projectName: names[project] ?? project,
    model,
    tokenClass,
    tier,
    priceRow,
    window,
    month,
    quantity: tokens[tokenClass],
    unitPrice: prices[tokenClass],
    amount: amounts[tokenClass],
  }));
}

function sortKey({ projectName, project, model, month, tier, window, priceRow, unitPrice, tokenClass }: InvoiceLine, period: string): string {
  // What came late stands behind what was used in the month itself.
  const late = month === period ? '' : month;
  return [projectName, project, late, model, tier, window ?? '', priceRow ?? '', String(TOKEN_CLASSES.indexOf(tokenClass)), String(unitPrice)].join('\0');
}
