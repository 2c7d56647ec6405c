import { sumOf, type FemtoUsd } from '../../core/index.ts';

/**
 * The time in which a pot takes charges already and the books are still being read for what was spent before: of each charge
 * of that time it must be known whether what the books said has it in it.
 */
export class Opening {
  readonly #charges = new Map<string, FemtoUsd>();
  #inBooks = sumOf([]);

  /** What of the charges of this time is in the books by now. */
  get inBooks(): FemtoUsd {
    return this.#inBooks;
  }

  charged(request: string, amount: FemtoUsd): void {
    this.#charges.set(request, amount);
  }

  /** The books have these requests now. */
  booked(requests: readonly string[]): void {
    for (const request of requests) this.#inBooks = sumOf([this.#inBooks, this.#charges.get(request) ?? sumOf([])]);
  }
}
