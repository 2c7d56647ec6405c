import type { FemtoUsd } from '../../core/index.ts';
import type { PotOwner } from './pot.ts';

/** One change of what a gateway has set aside of a pot. */
export interface AllowanceMove {
  readonly owner: PotOwner;
  /**
   * Rises with every change of a pot. When one is asked for again, because no answer came, it is made once; one that arrives after a
   * later one is not made at all.
   */
  readonly number: number;
  /** What is needed at the least; where there is less, nothing is taken. */
  readonly atLeast: FemtoUsd;
  /** Given back in place of taking, as far as it is there. */
  readonly giveBack?: FemtoUsd;
}

export interface AllowanceMoved {
  /** More set aside for this gateway; below zero for what was given back. */
  readonly added: FemtoUsd;
  /** Neither spent nor set aside by anybody. */
  readonly free: FemtoUsd;
  /** Set aside by other gateways. */
  readonly elsewhere: FemtoUsd;
}

/**
 * Where gateways set aside parts of budgets and credit, so that each can place holds by itself. At any moment what is spent and
 * what all have set aside together is at most what there is.
 */
export interface Allowances {
  /** Rejects with `overloaded` when it cannot be asked now. One at a time for each pot. */
  move(move: AllowanceMove): Promise<AllowanceMoved>;
  /**
   * Says that this gateway is there. What those had that were silent for too long is free again; false: this gateway was one of
   * them, and has nothing now.
   */
  beat(): Promise<boolean>;
}
