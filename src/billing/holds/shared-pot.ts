import { sumOf, type FemtoUsd } from '../../core/index.ts';
import type { AllowanceMove } from './allowances.ts';
import { isHard, type Pot, type PotOwner } from './pot.ts';

const NOTHING = sumOf([]);

/** What one gateway may spend of a pot that several pay from: what it has set aside, less what it charged and holds. */
export class SharedPot implements Pot {
  readonly owner: PotOwner;
  /** A move that is not answered yet. */
  pending: AllowanceMove | null = null;
  /** Monotonic, of the last hold. */
  heldAtMs = -Infinity;
  /** Monotonic: when others were asked in vain to give back. */
  recalledAtMs = -Infinity;
  /** The last portion that was set aside. */
  portion: FemtoUsd = NOTHING;
  #allowance: FemtoUsd = NOTHING;
  /** Charged here, and not in the books yet. */
  #unbooked: FemtoUsd = NOTHING;
  #held: FemtoUsd = NOTHING;
  #leaving: FemtoUsd = NOTHING;

  constructor(owner: PotOwner) {
    this.owner = owner;
  }

  get held(): FemtoUsd {
    return this.#held;
  }

  get allowance(): FemtoUsd {
    return this.#allowance;
  }

  get left(): FemtoUsd {
    return (this.#allowance - this.#unbooked - this.#held - this.#leaving) as FemtoUsd;
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

  charge(amount: FemtoUsd): void {
    this.#unbooked = sumOf([this.#unbooked, amount]);
  }

  /** A charge is in the books. */
  book(amount: FemtoUsd): void {
    this.#unbooked = (this.#unbooked - amount) as FemtoUsd;
  }

  /** More was set aside, or less. */
  allow(amount: FemtoUsd): void {
    this.#allowance = sumOf([this.#allowance, amount]);
  }

  /** Puts `amount` beyond the reach of holds until it is known that it was given back; `stay` says so. */
  leave(amount: FemtoUsd): void {
    this.#leaving = sumOf([this.#leaving, amount]);
  }

  stay(amount: FemtoUsd): void {
    this.#leaving = (this.#leaving - amount) as FemtoUsd;
  }

  /** All that was set aside is gone, and what was charged here is the books' concern alone. */
  lose(): void {
    this.#allowance = NOTHING;
    this.#unbooked = NOTHING;
  }

  /** Nothing of it is set aside, charged or held here. */
  get isEmpty(): boolean {
    return this.#allowance === 0n && this.#unbooked === 0n && this.#held === 0n && this.pending === null;
  }
}
