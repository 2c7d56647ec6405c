import { opposite, sumOf, type FemtoUsd } from '../../core/index.ts';
import type { Budget, BudgetState, SpendingState } from '../ledger/billing-account.ts';
import { BudgetsByScope, periodOf } from './budgets-by-scope.ts';
import { Hold } from './hold.ts';
import { LocalPot } from './local-pot.ts';
import { Opening } from './opening.ts';
import { isHard } from './pot.ts';
import { whyRefused, type Booked, type BudgetReached, type Charged, type HoldAnswer, type HoldWanted, type Payer, type Spending } from './spending.ts';

/** $10¹⁵. */
const PLENTY = (10n ** 30n) as FemtoUsd;

/**
 * What may still be spent at the only gateway there is, in memory: it begins with what the ledger says and takes every charge at once. All looks and
 * moves of one call happen in one go, so however many requests come together no pot is overdrawn by holds.
 */
export class LocalSpending implements Spending {
  readonly #onReached: (reached: BudgetReached) => void;
  readonly #credit = new Map<string, LocalPot>();
  readonly #budgets = new BudgetsByScope();
  /** By budget and period. */
  readonly #pots = new Map<string, LocalPot>();
  readonly #open = new Set<Hold>();
  /** Pots of which the books are being read. */
  readonly #opening = new Map<LocalPot, Opening>();

  constructor(state: SpendingState, onReached: (reached: BudgetReached) => void) {
    this.#onReached = onReached;
    for (const { organization, available } of state.prepaid) {
      this.openCredit(organization);
      this.creditOpened(organization, available);
    }
    for (const one of state.budgets) {
      this.openBudget(one.budget, state.nowMs);
      this.budgetOpened(one);
    }
  }

  get openHolds(): number {
    return this.#open.size;
  }

  pots(): readonly LocalPot[] {
    return [...this.#credit.values(), ...this.#pots.values()];
  }

  hasCredit(organization: string): boolean {
    return this.#credit.has(organization);
  }

  openCredit(organization: string): void {
    const pot = new LocalPot({ kind: 'credit', organization }, PLENTY, sumOf([]));
    this.#credit.set(organization, pot);
    this.#opening.set(pot, new Opening());
  }

  creditOpened(organization: string, available: FemtoUsd): void {
    const pot = this.#credit.get(organization);
    if (pot === undefined) return;
    pot.raise(sumOf([available, opposite(PLENTY)]));
    this.#opened(pot);
  }

  closeCredit(organization: string): void {
    const pot = this.#credit.get(organization);
    this.#credit.delete(organization);
    if (pot !== undefined) this.#opening.delete(pot);
  }

  raiseCredit(organization: string, amount: FemtoUsd): void {
    this.#credit.get(organization)?.raise(amount);
  }

  openBudget(budget: Budget, nowWallMs: number): { readonly period: string } {
    this.#budgets.add(budget);
    const period = periodOf(budget, nowWallMs);
    this.#opening.set(this.#potOf(budget, period), new Opening());
    return { period };
  }

  budgetOpened({ budget, period, spent }: BudgetState): void {
    const pot = this.#potOf(budget, period);
    pot.spend(spent);
    this.#opened(pot);
    this.#tell(pot);
  }

  removeBudget(budget: Budget): void {
    this.#budgets.remove(budget);
    for (const [name, pot] of this.#pots) {
      if (pot.owner.kind !== 'budget' || pot.owner.budget.id !== budget.id) continue;
      this.#pots.delete(name);
      this.#opening.delete(pot);
    }
  }

  bounds(payer: Payer, admittedAtMs: number): boolean {
    return this.#potsOf(payer, admittedAtMs).length > 0;
  }

  place({ payer, amount, admittedAtMs, expiresAtMs }: HoldWanted): HoldAnswer {
    const pots = this.#potsOf(payer, admittedAtMs);
    const empty = pots.find((pot) => !pot.hasRoomFor(amount));
    if (empty !== undefined) return { kind: 'refused', pot: empty, why: whyRefused(empty, empty.left, amount) };
    const hold = new Hold(amount, expiresAtMs, pots);
    if (pots.length > 0) this.#open.add(hold);
    return { kind: 'held', hold };
  }

  leftFor(payer: Payer, admittedAtMs: number): FemtoUsd | null {
    const hard = this.#potsOf(payer, admittedAtMs).filter(({ owner }) => isHard(owner));
    return hard.reduce<FemtoUsd | null>((least, { left }) => (least === null || left < least ? left : least), null);
  }

  settle(hold: Hold, { requestId, payer, admittedAtMs, charge }: Charged): void {
    this.#open.delete(hold);
    hold.settle();
    for (const pot of this.#potsOf(payer, admittedAtMs)) {
      pot.spend(charge);
      this.#opening.get(pot)?.charged(requestId, charge);
      this.#tell(pot);
    }
  }

  void(hold: Hold): void {
    this.#open.delete(hold);
    hold.void();
  }

  booked({ requests, corrections }: Booked): void {
    for (const opening of this.#opening.values()) opening.booked(requests);
    for (const { payer, admittedAtMs, difference } of corrections) {
      for (const pot of this.#potsOf(payer, admittedAtMs)) {
        // What the books say of a pot that opens has it already.
        if (this.#opening.has(pot)) continue;
        pot.spend(difference);
        this.#tell(pot);
      }
    }
  }

  expire(nowMs: number): number {
    const late = [...this.#open].filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
    for (const hold of late) {
      this.#open.delete(hold);
      hold.expire();
    }
    return late.length;
  }

  #potsOf(payer: Payer, admittedAtMs: number): LocalPot[] {
    const credit = this.#credit.get(payer.organization);
    const pots = credit === undefined ? [] : [credit];
    for (const budget of this.#budgets.of(payer)) pots.push(this.#potOf(budget, periodOf(budget, admittedAtMs)));
    return pots;
  }

  /** A month of which nothing is known begins with nothing spent. */
  #potOf(budget: Budget, period: string): LocalPot {
    const name = `${budget.id} ${period}`;
    const known = this.#pots.get(name);
    if (known !== undefined) return known;
    const pot = new LocalPot({ kind: 'budget', budget, period }, budget.amount, 0n as FemtoUsd);
    this.#pots.set(name, pot);
    return pot;
  }

  /** What was charged while the books were read, and is in what they said, counts once. */
  #opened(pot: LocalPot): void {
    pot.spend(opposite(this.#opening.get(pot)?.inBooks ?? sumOf([])));
    this.#opening.delete(pot);
  }

  #tell(pot: LocalPot): void {
    const { owner } = pot;
    if (owner.kind !== 'budget') return;
    for (const percent of pot.newlyReached()) this.#onReached({ budget: owner.budget, period: owner.period, percent, spent: pot.spent });
  }
}
