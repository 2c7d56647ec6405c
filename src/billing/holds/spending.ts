import { opposite, sumOf, usdText, type FemtoUsd } from '../../core/index.ts';
import type { Budget, BudgetState, SpendingState } from '../ledger/billing-account.ts';
import { monthOf } from '../ledger/month.ts';
import { Hold } from './hold.ts';
import { Opening } from './opening.ts';
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
}

export type HoldAnswer = { readonly kind: 'held'; readonly hold: Hold } | { readonly kind: 'refused'; readonly pot: Pot; readonly why: string };

/** A budget of which a part is spent now that it warns of. */
export interface BudgetReached {
  readonly budget: Budget;
  readonly period: string;
  readonly percent: number;
  readonly spent: FemtoUsd;
}

/** $10¹⁵. */
const PLENTY = (10n ** 30n) as FemtoUsd;

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
  /** Pots of which the books are being read. */
  readonly #opening = new Map<Pot, Opening>();

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

  /** Every pot there is: for operators and for tests. */
  pots(): readonly Pot[] {
    return [...this.#credit.values(), ...this.#pots.values()];
  }

  /** The organization is served for what it has paid only. */
  hasCredit(organization: string): boolean {
    return this.#credit.has(organization);
  }

  /** Its charges count from now on, and nobody is refused until `creditOpened` says what there is. */
  openCredit(organization: string): void {
    const pot = new Pot({ kind: 'credit', organization }, PLENTY, sumOf([]));
    this.#credit.set(organization, pot);
    this.#opening.set(pot, new Opening());
  }

  /** `available`: by the books, with all in it that was booked by now. */
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

  /** More credit, or less where an invoice took more of it than was used. */
  raiseCredit(organization: string, amount: FemtoUsd): void {
    this.#credit.get(organization)?.raise(amount);
  }

  /** Charges count from now on; `budgetOpened` says what was spent before. */
  openBudget(budget: Budget, nowWallMs: number): { readonly period: string } {
    const key = scopeKey(budget.scope, budget.scopeId);
    this.#budgets.set(key, [...(this.#budgets.get(key) ?? []), budget]);
    const period = periodOf(budget, nowWallMs);
    this.#opening.set(this.#potOf(budget, period), new Opening());
    return { period };
  }

  /** `spent`: by the books, with all in it that was booked by now. */
  budgetOpened({ budget, period, spent }: BudgetState): void {
    const pot = this.#potOf(budget, period);
    pot.spend(spent);
    this.#opened(pot);
    this.#tell(pot);
  }

  removeBudget({ id, scope, scopeId }: Budget): void {
    const key = scopeKey(scope, scopeId);
    this.#budgets.set(key, (this.#budgets.get(key) ?? []).filter((budget) => budget.id !== id));
    for (const [name, pot] of this.#pots) {
      if (pot.owner.kind !== 'budget' || pot.owner.budget.id !== id) continue;
      this.#pots.delete(name);
      this.#opening.delete(pot);
    }
  }

  /** Whether anything bounds what the payer may spend. */
  bounds(payer: Payer, admittedAtMs: number): boolean {
    return this.#potsOf(payer, admittedAtMs).length > 0;
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

  /** Puts a charge in the place of the hold; it is paid from the pots there are now, which may have come while the request ran. */
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

  /** The ledger has more now. To be told before anything is that the ledger says with it. */
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

  /** What was charged while the books were read, and is in what they said, counts once. */
  #opened(pot: Pot): void {
    pot.spend(opposite(this.#opening.get(pot)?.inBooks ?? sumOf([])));
    this.#opening.delete(pot);
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
