import { opposite, sumOf, type FemtoUsd } from '../../core/index.ts';
import type { InvoiceSnapshot } from './invoice-snapshot.ts';
import { partInCents } from './round-cents.ts';

const NONE = 0n as FemtoUsd;

/** What an invoice charged, and by what it was or is to be paid. */
export interface Charged {
  readonly snapshot: Pick<InvoiceSnapshot, 'total' | 'credits' | 'taxes'>;
  /** Of the credit that it used, what had been granted. */
  readonly grantedUsed: FemtoUsd;
  /** Given back by earlier notes. */
  readonly before: FemtoUsd;
  /** Still to be paid. */
  readonly due: FemtoUsd;
}

/** What a credit note takes back, and where it goes. `revenue + tax = receivable + paidCredit + grantedCredit`. */
export interface CreditNoteSplit {
  readonly revenue: FemtoUsd;
  readonly tax: FemtoUsd;
  /** Less is due by this. */
  readonly receivable: FemtoUsd;
  readonly paidCredit: FemtoUsd;
  readonly grantedCredit: FemtoUsd;
}

/** What was really charged, tax included: what is to be paid and the credit that paid for the rest. */
export function chargedBy({ total, credits }: Pick<InvoiceSnapshot, 'total' | 'credits'>): FemtoUsd {
  return sumOf([total, credits]);
}

/**
 * Splits `amount`, whole cents and no more than is left of what was charged. Tax is taken back in its share of the invoice, of all
 * that was given back so far, half to even: notes that give everything back take back exactly the tax. What is not
 * paid yet is given back first, then what was paid, then what was granted.
 */
export function splitCreditNote(amount: FemtoUsd, { snapshot, grantedUsed, before, due }: Charged): CreditNoteSplit {
  const charged = chargedBy(snapshot);
  const taxes = sumOf(snapshot.taxes.map((tax) => tax.amount));
  const after = sumOf([before, amount]);
  const tax = sumOf([partInCents(taxes, after, charged), opposite(partInCents(taxes, before, charged))]);
  const paidFor = sumOf([charged, opposite(grantedUsed)]);
  const money = sumOf([least(after, paidFor), opposite(least(before, paidFor))]);
  const receivable = least(money, due);
  return {
    revenue: sumOf([amount, opposite(tax)]),
    tax,
    receivable,
    paidCredit: sumOf([money, opposite(receivable)]),
    grantedCredit: sumOf([amount, opposite(money)]),
  };
}

function least(a: FemtoUsd, b: FemtoUsd): FemtoUsd {
  if (b <= 0n) return NONE;
  return a < b ? a : b;
}
