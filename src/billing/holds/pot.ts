import type { FemtoUsd } from '../../core/index.ts';
import type { Budget } from '../ledger/billing-account.ts';

/** From what a request is paid: an organization's credit, or a budget in one of its periods. */
export type PotOwner =
  | { readonly kind: 'credit'; readonly organization: string }
  | { readonly kind: 'budget'; readonly budget: Budget; readonly period: string };

/** What may be spent of one thing, less what is held for requests under way. */
export interface Pot {
  readonly owner: PotOwner;
  readonly held: FemtoUsd;
  /** What can still be held here; below zero when more was charged than was held for it. */
  readonly left: FemtoUsd;
  /** A soft budget has room for everything. */
  hasRoomFor(amount: FemtoUsd): boolean;
  hold(amount: FemtoUsd): void;
  release(amount: FemtoUsd): void;
}

/** Nothing is served beyond it. */
export function isHard(owner: PotOwner): boolean {
  return owner.kind === 'credit' || owner.budget.isHard;
}

/** One name for each pot there is. */
export function potName(owner: PotOwner): string {
  return owner.kind === 'credit' ? `credit ${owner.organization}` : `budget ${owner.budget.id} ${owner.period}`;
}
