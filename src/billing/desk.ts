import { MeridianError, sumOf, ulid, type Clock, type FemtoUsd, type InTurn } from '../core/index.ts';
import type { Spending } from './holds/spending.ts';
import type { Balance, Budget, BudgetState, Credit } from './ledger/billing-account.ts';
import type { Customer } from './ledger/customer-table.ts';
import type { LedgerFeed } from './ledger/ledger-feed.ts';
import type { Ledger } from './ledger/ledger.ts';

export type NewCredit = Omit<Credit, 'id' | 'createdAtMs'>;
export type NewBudget = Omit<Budget, 'id' | 'createdAtMs' | 'archivedAtMs'>;

export interface DeskOptions {
  readonly ledger: Ledger;
  readonly spending: Spending;
  readonly feed: Pick<LedgerFeed, 'catchUp'>;
  readonly clock: Clock;
  /** Every act that changes the books and what may be spent goes through it: none sees one of them changed and not the other. */
  readonly turns: InTurn;
}

/** Where operators change what customers have and may spend: in the books first, and then for the next request. */
export class BillingDesk {
  readonly #ledger: Ledger;
  readonly #spending: Spending;
  readonly #feed: Pick<LedgerFeed, 'catchUp'>;
  readonly #clock: Clock;
  readonly #turns: InTurn;

  constructor({ ledger, spending, feed, clock, turns }: DeskOptions) {
    this.#ledger = ledger;
    this.#spending = spending;
    this.#feed = feed;
    this.#clock = clock;
    this.#turns = turns;
  }

  /** Rejects with `invalid_value` unless the amount is above zero. */
  addCredit(wanted: NewCredit): Promise<Credit> {
    return this.#turns.run(async () => {
      const nowMs = this.#clock.wallMs();
      const credit = { id: `credit_${ulid(nowMs)}`, ...wanted, createdAtMs: nowMs };
      await this.#ledger.addCredit(credit);
      this.#spending.raiseCredit(credit.organization, credit.amount);
      return credit;
    });
  }

  /** Rejects with `invalid_value` unless the amount is above zero. */
  async addBudget(wanted: NewBudget): Promise<BudgetState> {
    if (wanted.amount <= 0n) throw new MeridianError('invalid_value', { param: 'amount_usd', message: 'A budget must be above zero; to stop a key, revoke it.' });
    return this.#turns.run(async () => {
      // Books that cannot be read are found before anything is written.
      await this.#feed.catchUp();
      const nowMs = this.#clock.wallMs();
      const budget: Budget = { id: `budget_${ulid(nowMs)}`, ...wanted, createdAtMs: nowMs, archivedAtMs: null };
      await this.#ledger.addBudget(budget);
      return this.#openBudget(budget, nowMs);
    });
  }

  /** One whose books cannot be read is not there. */
  async #openBudget(budget: Budget, nowMs: number): Promise<BudgetState> {
    const { period } = this.#spending.openBudget(budget, nowMs);
    try {
      await this.#feed.catchUp();
      const state = (await this.#ledger.budget(budget.id, nowMs)) ?? { budget, period, spent: sumOf([]) };
      this.#spending.budgetOpened(state);
      return state;
    } catch (error) {
      this.#spending.removeBudget(budget);
      await this.#ledger.archiveBudget(budget.id, nowMs).catch(() => {});
      throw error;
    }
  }

  archiveBudget(id: string): Promise<BudgetState> {
    return this.#turns.run(async () => {
      const nowMs = this.#clock.wallMs();
      const budget = await this.#ledger.archiveBudget(id, nowMs);
      if (budget === null) throw new MeridianError('not_found', { param: 'id', message: `There is no budget '${id}'.` });
      this.#spending.removeBudget(budget);
      return this.budget(id);
    });
  }

  /** Rejects with `not_found`. */
  async budget(id: string): Promise<BudgetState> {
    const state = await this.#ledger.budget(id, this.#clock.wallMs());
    if (state === null) throw new MeridianError('not_found', { param: 'id', message: `There is no budget '${id}'.` });
    return state;
  }

  putCustomer(customer: Customer): Promise<Customer> {
    const { organization, terms } = customer;
    return this.#turns.run(async () => {
      // Books that cannot be read are found before anything is written.
      await this.#feed.catchUp();
      await this.#ledger.putCustomer(customer, this.#clock.wallMs());
      if (terms === 'postpaid') this.#spending.closeCredit(organization);
      else if (!this.#spending.hasCredit(organization)) await this.#openCredit(organization);
      return customer;
    });
  }

  async #openCredit(organization: string): Promise<void> {
    this.#spending.openCredit(organization);
    try {
      const { available } = await this.balance(organization);
      this.#spending.creditOpened(organization, available);
    } catch (error) {
      this.#spending.closeCredit(organization);
      throw error;
    }
  }

  /** With what was used to this moment. */
  async balance(organization: string): Promise<Balance> {
    await this.#feed.catchUp();
    return this.#ledger.balance(organization);
  }

  /** What is held for requests under way, of an organization that pays ahead. */
  held(organization: string): FemtoUsd {
    const pot = this.#spending.pots().find(({ owner }) => owner.kind === 'credit' && owner.organization === organization);
    return pot?.held ?? sumOf([]);
  }
}
