import { sumOf, usdText, type FemtoUsd } from '../../core/index.ts';
import type { Budget, BudgetState } from '../ledger/billing-account.ts';
import type { Hold } from './hold.ts';
import type { Pot } from './pot.ts';

/** Who pays for a request. */
export interface Payer {
  readonly organization: string;
  readonly project: string;
  readonly keyId: string;
}

export interface HoldWanted {
  readonly payer: Payer;
  /** The most the request can cost. */
  readonly amount: FemtoUsd;
  /** Wall time of its admission: the month of monthly budgets. */
  readonly admittedAtMs: number;
  /** Monotonic. */
  readonly expiresAtMs: number;
}

/** A request that is over. */
export interface Charged {
  readonly requestId: string;
  readonly payer: Payer;
  readonly admittedAtMs: number;
  readonly charge: FemtoUsd;
}

/** What is new in the ledger. */
export interface Booked {
  /** Their ids. */
  readonly requests: readonly string[];
  /** What turned out to cost another amount than was charged when its request ended. */
  readonly corrections: readonly { readonly payer: Payer; readonly admittedAtMs: number; readonly difference: FemtoUsd }[];
  /** What the booking took off what this gateway had set aside, by pot. */
  readonly takenOff?: readonly { readonly pot: string; readonly amount: FemtoUsd }[];
}

export type HoldAnswer = { readonly kind: 'held'; readonly hold: Hold } | { readonly kind: 'refused'; readonly pot: Pot; readonly why: string };

/** A budget of which a part is spent now that it warns of. */
export interface BudgetReached {
  readonly budget: Budget;
  readonly period: string;
  readonly percent: number;
  readonly spent: FemtoUsd;
}

/**
 * What may still be spent. However many requests come together, here and at other gateways, no pot is overdrawn by holds. An
 * answer is a promise only where more must be asked for than is known here.
 */
export interface Spending {
  readonly openHolds: number;
  /** Every pot there is: for operators and for tests. */
  pots(): readonly Pot[];
  /** Whether anything bounds what the payer may spend. */
  bounds(payer: Payer, admittedAtMs: number): boolean;
  /** Holds `amount` in every pot that the payer pays from, or in none. */
  place(wanted: HoldWanted): HoldAnswer | Promise<HoldAnswer>;
  /** The most that can be held for the payer now; null when nothing bounds it. */
  leftFor(payer: Payer, admittedAtMs: number): FemtoUsd | null | Promise<FemtoUsd | null>;
  /** Puts a charge in the place of the hold; it is paid from the pots there are now, which may have come while the request ran. */
  settle(hold: Hold, charged: Charged): void;
  void(hold: Hold): void;
  /** Ends holds that nobody ended in their time. Returns how many. */
  expire(nowMs: number): number;
  /** The ledger has more now. To be told before anything is that the ledger says with it. */
  booked(booked: Booked): void;

  /** The organization is served for what it has paid only. */
  hasCredit(organization: string): boolean;
  /** Its charges count from now on, and nobody is refused until `creditOpened` says what there is. */
  openCredit(organization: string): void;
  /** `available`: by the books, with all in it that was booked by now. */
  creditOpened(organization: string, available: FemtoUsd): void;
  closeCredit(organization: string): void;
  /** More credit, or less where an invoice took more of it than was used. */
  raiseCredit(organization: string, amount: FemtoUsd): void;
  /** Charges count from now on; `budgetOpened` says what was spent before. */
  openBudget(budget: Budget, nowWallMs: number): { readonly period: string };
  /** `spent`: by the books, with all in it that was booked by now. */
  budgetOpened(state: BudgetState): void;
  removeBudget(budget: Budget): void;
}

/** `left`: what there is of it. */
export function whyRefused({ owner }: Pot, left: FemtoUsd, amount: FemtoUsd): string {
  const what = owner.kind === 'credit' ? 'the credit of your organization' : `the budget ${owner.budget.id} of your ${owner.budget.scope} for ${owner.period === 'total' ? 'all time' : owner.period}`;
  const rest = left > 0n ? left : sumOf([]);
  return `This request may cost up to $${usdText(amount)}, and ${what} has $${usdText(rest)} left. Ask for fewer tokens, or have it raised.`;
}
