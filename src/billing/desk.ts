import { MeridianError, sumOf, ulid, type Clock, type FemtoUsd } from '../core/index.ts';
import type { Spending } from './holds/spending.ts';
import type { Balance, Budget, BudgetState, Credit } from './ledger/billing-account.ts';
import type { Customer } from './ledger/customer-table.ts';
import type { LedgerFeed } from './ledger/ledger-feed.ts';
import type { Ledger } from './ledger/ledger.ts';

export type NewCredit = Omit<Credit, 'id' | 'createdAtMs'>;
export type NewBudget = Omit<Budget, 'id' | 'createdAtMs' | 'archivedAtMs'>;

/** $10¹⁵. */
const PLENTY = (10n ** 30n) as FemtoUsd;

export interface DeskOptions {
  readonly ledger: Ledger;
  readonly spending: Spending;
  readonly feed: Pick<LedgerFeed, 'catchUp'>;
  readonly clock: Clock;
}

/** Where operators change what customers have and may spend: in the books first, and then for the next request. */
export class BillingDesk {
  readonly #ledger: Ledger;
  readonly #spending: Spending;
  readonly #feed: Pick<LedgerFeed, 'catchUp'>;
  readonly #clock: Clock;

  constructor({ ledger, spending, feed, clock }: DeskOptions) {
    this.#ledger = ledger;
    this.#spending = spending;
    this.#feed = feed;
    this.#clock = clock;
  }

  /** Rejects with `invalid_value` unless the amount is above zero. */
  async addCredit(wanted: NewCredit): Promise<Credit> {
    const nowMs = this.#clock.wallMs();
    const credit = { id: `credit_${ulid(nowMs)}`, ...wanted, createdAtMs: nowMs };
    await this.#ledger.addCredit(credit);
    this.#spending.raiseCredit(credit.organization, credit.amount);
    return credit;
  }

  /** Rejects with `invalid_value` unless the amount is above zero. */
  async addBudget(wanted: NewBudget): Promise<BudgetState> {
    if (wanted.amount <= 0n) throw new MeridianError('invalid_value', { param: 'amount_usd', message: 'A budget must be above zero; to stop a key, revoke it.' });
    const nowMs = this.#clock.wallMs();
    const budget: Budget = { id: `budget_${ulid(nowMs)}`, ...wanted, createdAtMs: nowMs, archivedAtMs: null };
    await this.#ledger.addBudget(budget);
    // It takes charges from here on. Those that come until the books are read count twice until the next start: too
    // much is held against a new budget for once, never too little.
    const { period } = this.#spending.openBudget(budget, nowMs);
    await this.#feed.catchUp();
    const state = (await this.#ledger.budget(budget.id, nowMs)) ?? { budget, period, spent: sumOf([]) };
    this.#spending.spentBefore(state);
    return state;
  }

  async archiveBudget(id: string): Promise<BudgetState> {
    const nowMs = this.#clock.wallMs();
    const budget = await this.#ledger.archiveBudget(id, nowMs);
    if (budget === null) throw new MeridianError('not_found', { param: 'id', message: `There is no budget '${id}'.` });
    this.#spending.removeBudget(budget);
    return this.budget(id);
  }

  /** Rejects with `not_found`. */
  async budget(id: string): Promise<BudgetState> {
    const state = await this.#ledger.budget(id, this.#clock.wallMs());
    if (state === null) throw new MeridianError('not_found', { param: 'id', message: `There is no budget '${id}'.` });
    return state;
  }

  async putCustomer(customer: Customer): Promise<Customer> {
    await this.#ledger.putCustomer(customer, this.#clock.wallMs());
    if (customer.terms === 'prepaid') {
      // Charges count from here on, and nobody is refused while the books are read.
      const isNew = this.#spending.openCredit(customer.organization, PLENTY);
      await this.#feed.catchUp();
      const { available } = await this.#ledger.balance(customer.organization);
      if (isNew) this.#spending.raiseCredit(customer.organization, (available - PLENTY) as FemtoUsd);
    } else {
      this.#spending.closeCredit(customer.organization);
    }
    return customer;
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
