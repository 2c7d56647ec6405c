import { sumOf, usdText, type FemtoUsd } from '../../core/index.ts';
import type { Budget, BudgetState, SpendingState } from '../ledger/billing-account.ts';
import { monthOf } from '../ledger/month.ts';
import { Hold } from './hold.ts';
import { Pot } from './pot.ts';

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

export type HoldAnswer = { readonly kind: 'held'; readonly hold: Hold } | { readonly kind: 'refused'; readonly pot: Pot; readonly why: string };

/** A budget of which a part is spent now that it warns of. */
export interface BudgetReached {
  readonly budget: Budget;
  readonly period: string;
  readonly percent: number;
  readonly spent: FemtoUsd;
}

/**
 * What may still be spent, in memory: it begins with what the ledger says and takes every charge at once. All looks and
 * moves of one call happen in one go, so however many requests come together no pot is overdrawn by holds.
 */
export class Spending {
  readonly #onReached: (reached: BudgetReached) => void;
  readonly #credit = new Map<string, Pot>();
  /** By scope and its id. */
  readonly #budgets = new Map<string, Budget[]>();
  /** By budget and period. */
  readonly #pots = new Map<string, Pot>();
  readonly #open = new Set<Hold>();

  constructor(state: SpendingState, onReached: (reached: BudgetReached) => void) {
    this.#onReached = onReached;
    for (const { organization, available } of state.prepaid) this.openCredit(organization, available);
    for (const one of state.budgets) {
      this.openBudget(one.budget, state.nowMs);
      this.spentBefore(one);
    }
  }

  get openHolds(): number {
    return this.#open.size;
  }

  /** Every pot there is: for operators and for tests. */
  pots(): readonly Pot[] {
    return [...this.#credit.values(), ...this.#pots.values()];
  }

  /** From now on the organization is served for what it has paid only; `available` is what there is. False when that was so before. */
  openCredit(organization: string, available: FemtoUsd): boolean {
    if (this.#credit.has(organization)) return false;
    this.#credit.set(organization, new Pot({ kind: 'credit', organization }, available, 0n as FemtoUsd));
    return true;
  }

  closeCredit(organization: string): void {
    this.#credit.delete(organization);
  }

  /** More credit, or less where an invoice took more of it than was used. */
  raiseCredit(organization: string, amount: FemtoUsd): void {
    this.#credit.get(organization)?.raise(amount);
  }

  /** It takes charges from now on; what was spent before is said by `spentBefore`. */
  openBudget(budget: Budget, nowWallMs: number): { readonly period: string } {
    const key = scopeKey(budget.scope, budget.scopeId);
    this.#budgets.set(key, [...(this.#budgets.get(key) ?? []), budget]);
    const period = periodOf(budget, nowWallMs);
    this.#potOf(budget, period);
    return { period };
  }

  spentBefore({ budget, period, spent }: BudgetState): void {
    const pot = this.#potOf(budget, period);
    pot.spend(spent);
    this.#tell(pot);
  }

  removeBudget({ id, scope, scopeId }: Budget): void {
    const key = scopeKey(scope, scopeId);
    this.#budgets.set(key, (this.#budgets.get(key) ?? []).filter((budget) => budget.id !== id));
    for (const [name, { owner }] of this.#pots) if (owner.kind === 'budget' && owner.budget.id === id) this.#pots.delete(name);
  }

  /** Holds `amount` in every pot that the payer pays from, or in none. */
  place({ payer, amount, admittedAtMs, expiresAtMs }: HoldWanted): HoldAnswer {
    const pots = this.#potsOf(payer, admittedAtMs);
    const empty = pots.find((pot) => !pot.hasRoomFor(amount));
    if (empty !== undefined) return { kind: 'refused', pot: empty, why: whyRefused(empty, amount) };
    const hold = new Hold(amount, expiresAtMs, pots);
    if (pots.length > 0) this.#open.add(hold);
    return { kind: 'held', hold };
  }

  /** The most that can be held for the payer now; null when nothing bounds it. */
  leftFor(payer: Payer, admittedAtMs: number): FemtoUsd | null {
    const hard = this.#potsOf(payer, admittedAtMs).filter(({ owner }) => owner.kind === 'credit' || owner.budget.isHard);
    return hard.reduce<FemtoUsd | null>((least, { left }) => (least === null || left < least ? left : least), null);
  }

  settle(hold: Hold, charge: FemtoUsd): void {
    this.#open.delete(hold);
    hold.settle(charge);
    for (const pot of hold.pots) this.#tell(pot);
  }

  void(hold: Hold): void {
    this.#open.delete(hold);
    hold.void();
  }

  /** A charge that differs from what was settled: later truth. */
  adjust(payer: Payer, admittedAtMs: number, difference: FemtoUsd): void {
    for (const pot of this.#potsOf(payer, admittedAtMs)) {
      pot.spend(difference);
      this.#tell(pot);
    }
  }

  /** Ends holds that nobody ended in their time. Returns how many. */
  expire(nowMs: number): number {
    const late = [...this.#open].filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
    for (const hold of late) {
      this.#open.delete(hold);
      hold.expire();
    }
    return late.length;
  }

  #potsOf({ organization, project, keyId }: Payer, admittedAtMs: number): Pot[] {
    const credit = this.#credit.get(organization);
    const pots = credit === undefined ? [] : [credit];
    if (this.#budgets.size === 0) return pots;
    for (const key of [scopeKey('organization', organization), scopeKey('project', project), scopeKey('key', keyId)]) {
      for (const budget of this.#budgets.get(key) ?? []) {
        if (budget.organization === organization) pots.push(this.#potOf(budget, periodOf(budget, admittedAtMs)));
      }
    }
    return pots;
  }

  /** A month of which nothing is known begins with nothing spent. */
  #potOf(budget: Budget, period: string): Pot {
    const name = `${budget.id} ${period}`;
    const known = this.#pots.get(name);
    if (known !== undefined) return known;
    const pot = new Pot({ kind: 'budget', budget, period }, budget.amount, 0n as FemtoUsd);
    this.#pots.set(name, pot);
    return pot;
  }

  #tell(pot: Pot): void {
    const { owner } = pot;
    if (owner.kind !== 'budget') return;
    for (const percent of pot.newlyReached()) this.#onReached({ budget: owner.budget, period: owner.period, percent, spent: pot.spent });
  }
}

function periodOf(budget: Budget, wallMs: number): string {
  return budget.period === 'month' ? monthOf(wallMs) : 'total';
}

function scopeKey(scope: Budget['scope'], id: string): string {
  return `${scope} ${id}`;
}

function whyRefused({ owner, left }: Pot, amount: FemtoUsd): string {
  const what = owner.kind === 'credit' ? 'the credit of your organization' : `the budget ${owner.budget.id} of your ${owner.budget.scope} for ${owner.period === 'total' ? 'all time' : owner.period}`;
  const rest = left > 0n ? left : sumOf([]);
  return `This request may cost up to $${usdText(amount)}, and ${what} has $${usdText(rest)} left. Ask for fewer tokens, or have it raised.`;
}
