import type { FemtoUsd } from '../../core/index.ts';
import type { InvoiceSnapshot } from './invoice-snapshot.ts';

export type InvoiceStatus = 'draft' | 'finalized' | 'paid' | 'void' | 'uncollectible';

/** An invoice: what it says, and what became of it. Times are milliseconds since the epoch. */
export interface Invoice {
  readonly id: string;
  readonly status: InvoiceStatus;
  /** Of a series without gaps; null until it is finalized. */
  readonly number: string | null;
  readonly createdAtMs: number;
  readonly finalizedAtMs: number | null;
  readonly dueAtMs: number | null;
  readonly paidAtMs: number | null;
  readonly voidedAtMs: number | null;
  /** Of a draft, what it would say now. */
  readonly snapshot: InvoiceSnapshot;
  readonly creditNotes: readonly CreditNote[];
}

/** What is given back of a finalized invoice. */
export interface CreditNote {
  readonly id: string;
  /** Of a series of its own without gaps. */
  readonly number: string;
  readonly invoice: string;
  readonly amount: FemtoUsd;
  /** Of that, tax. */
  readonly tax: FemtoUsd;
  /** Of the amount, what became credit because it was paid already. */
  readonly credited: FemtoUsd;
  readonly reason: string;
  readonly createdAtMs: number;
}

/** What is still to be paid. */
export function amountDue({ status, snapshot, creditNotes }: Pick<Invoice, 'status' | 'snapshot' | 'creditNotes'>): FemtoUsd {
  if (status !== 'finalized') return 0n as FemtoUsd;
  return creditNotes.reduce((due, { amount, credited }) => due - amount + credited, snapshot.total as bigint) as FemtoUsd;
}
