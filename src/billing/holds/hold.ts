import { MeridianError, type FemtoUsd } from '../../core/index.ts';
import type { Pot } from './pot.ts';

/**
 * What a request may cost at the most, set aside before it is dispatched. It ends exactly once: settled, voided, or expired.
 * One that expired may still be settled, once: its charge comes late.
 */
export class Hold {
  readonly amount: FemtoUsd;
  /** Monotonic. */
  readonly expiresAtMs: number;
  readonly #pots: readonly Pot[];
  #state: 'open' | 'settled' | 'voided' | 'expired' = 'open';
  #isCharged = false;

  /** Takes its amount out of `pots`. */
  constructor(amount: FemtoUsd, expiresAtMs: number, pots: readonly Pot[]) {
    this.amount = amount;
    this.expiresAtMs = expiresAtMs;
    this.#pots = pots;
    for (const pot of pots) pot.hold(amount);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get pots(): readonly Pot[] {
    return this.#pots;
  }

  /** Gives it back: a charge takes its place. Throws when it was settled or voided before. */
  settle(): void {
    if (this.#isCharged || this.#state === 'voided') throw new MeridianError('internal_error', { message: `A hold was settled that was ${this.#state}.` });
    if (this.#state === 'open') this.#end('settled');
    this.#isCharged = true;
  }

  /** Gives it back: the request costs nothing. Throws when it was settled or voided before. */
  void(): void {
    if (this.#isCharged || this.#state === 'voided') throw new MeridianError('internal_error', { message: `A hold was voided that was ${this.#state}.` });
    if (this.#state === 'open') this.#end('voided');
  }

  /** Gives it back because nobody ended it in its time. */
  expire(): void {
    if (this.#state === 'open') this.#end('expired');
  }

  #end(state: 'settled' | 'voided' | 'expired'): void {
    this.#state = state;
    for (const pot of this.#pots) pot.release(this.amount);
  }
}
