import { sumOf, type FemtoUsd } from '../../core/index.ts';
import type { Budget } from '../ledger/billing-account.ts';

/** From what a request is paid: an organization's credit, or a budget in one of its periods. */
export type PotOwner =
  | { readonly kind: 'credit'; readonly organization: string }
  | { readonly kind: 'budget'; readonly budget: Budget; readonly period: string };

/** What may be spent of one thing, what was, and what is held for requests under way. */
export class Pot {
  readonly owner: PotOwner;
  /** For a budget, the per cent of it that were said to be reached already. */
  readonly reached = new Set<number>();
  #limit: FemtoUsd;
  #spent: FemtoUsd;
  #held = 0n as FemtoUsd;

  constructor(owner: PotOwner, limit: FemtoUsd, spent: FemtoUsd) {
    this.owner = owner;
    this.#limit = limit;
    this.#spent = spent;
  }

  get limit(): FemtoUsd {
    return this.#limit;
  }

  get spent(): FemtoUsd {
    return this.#spent;
  }

  get held(): FemtoUsd {
    return this.#held;
  }

  /** What is neither spent nor held; below zero when more was charged than was held for it. */
  get left(): FemtoUsd {
    return (this.#limit - this.#spent - this.#held) as FemtoUsd;
  }

  /** A soft budget has room for everything. */
  hasRoomFor(amount: FemtoUsd): boolean {
    return (this.owner.kind === 'budget' && !this.owner.budget.isHard) || this.left >= amount;
  }

  hold(amount: FemtoUsd): void {
    this.#held = sumOf([this.#held, amount]);
  }

  release(amount: FemtoUsd): void {
    this.#held = (this.#held - amount) as FemtoUsd;
  }

  spend(amount: FemtoUsd): void {
    this.#spent = sumOf([this.#spent, amount]);
  }

  raise(amount: FemtoUsd): void {
    this.#limit = sumOf([this.#limit, amount]);
  }

  /** Percentages that are reached now and were not before. */
  *newlyReached(): Iterable<number> {
    if (this.owner.kind !== 'budget') return;
    for (const percent of this.owner.budget.warnPercents) {
      if (this.reached.has(percent) || this.#spent * 100n < this.#limit * BigInt(percent)) continue;
      this.reached.add(percent);
      yield percent;
    }
  }
}
