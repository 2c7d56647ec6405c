import { sumOf, type FemtoUsd } from '../../core/index.ts';
import { isHard, type Pot, type PotOwner } from './pot.ts';

/** What may be spent of one thing, what was, and what is held for requests under way. */
export class LocalPot implements Pot {
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

  hasRoomFor(amount: FemtoUsd): boolean {
    return !isHard(this.owner) || this.left >= amount;
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
