import type { FemtoUsd } from '../../core/index.ts';

/** `prepaid`: served as long as there is credit. `postpaid`: served, and invoiced after the month. */
export type Terms = 'prepaid' | 'postpaid';

export interface Credit {
  readonly id: string;
  readonly organization: string;
  /** Paid by the customer, or granted to him. */
  readonly kind: 'paid' | 'granted';
  readonly amount: FemtoUsd;
  readonly note: string;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
}

export type BudgetScope = 'organization' | 'project' | 'key';

/** What may be spent, in a month or in all. */
export interface Budget {
  readonly id: string;
  readonly organization: string;
  readonly scope: BudgetScope;
  /** Id of the organization, project or key. */
  readonly scopeId: string;
  readonly period: 'month' | 'total';
  readonly amount: FemtoUsd;
  /** Nothing is served beyond a hard one; a soft one only warns. */
  readonly isHard: boolean;
  /** Per cent of the amount at which it is said that they are reached, ascending. */
  readonly warnPercents: readonly number[];
  readonly createdAtMs: number;
  readonly archivedAtMs: number | null;
}

/** What an organization has and owes, all 0 or more but for an overdrawn `available`. */
export interface Balance {
  readonly organization: string;
  readonly terms: Terms;
  /** Credit that no invoice has used yet; the part of it that was granted, and that was paid for. Granted credit is used first. */
  readonly credit: FemtoUsd;
  readonly granted: FemtoUsd;
  readonly paid: FemtoUsd;
  /** Used, and on no finalized invoice. */
  readonly unbilled: FemtoUsd;
  /** On finalized invoices, and not paid. */
  readonly due: FemtoUsd;
  /** Credit less what is used and not invoiced. */
  readonly available: FemtoUsd;
}

/** What holds begin with: what there is left now. */
export interface SpendingState {
  /** Wall time at which it was so. */
  readonly nowMs: number;
  readonly prepaid: readonly { readonly organization: string; readonly available: FemtoUsd }[];
  readonly budgets: readonly BudgetState[];
}

export interface BudgetState {
  readonly budget: Budget;
  /** The month, or `total`. */
  readonly period: string;
  readonly spent: FemtoUsd;
}
