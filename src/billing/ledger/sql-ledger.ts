import type { Kysely } from 'kysely';
import { openSqlDatabase } from '../../store/index.ts';
import type { Balance, Budget, Credit, SpendingState } from './billing-account.ts';
import { archiveBudget, budgetState, findBudget, insertBudget, listBudgets, markBudget } from './budget-table.ts';
import { insertCredit, listCredits, readBalance } from './credit-table.ts';
import { findCustomer, prepaidOrganizations, putCustomer, type Customer } from './customer-table.ts';
import type { LedgerEvent } from './ledger-event.ts';
import { ledgerFaults } from './ledger-faults.ts';
import { LEDGER_MIGRATIONS, type LedgerTables } from './ledger-schema.ts';
import type { Ledger, LedgerBatch, ListQuery } from './ledger.ts';
import { meterFaults, Meters } from './meters.ts';
import { monthOf } from './month.ts';
import { rebuildProjections } from './rebuild.ts';
import { sealFaults } from './seals.ts';
import { postUsage } from './usage-postings.ts';
import type { UsageQuery, UsageSum } from './usage-query.ts';
import { readUsage } from './usage-reads.ts';

export interface SqlLedgerOptions {
  /** 32 secret bytes that key the seals of the events; the same for the life of the ledger. */
  readonly sealKey: Buffer;
}

const BUDGETS_MAX = 1_000_000;

/** The ledger in an SQLite file of its own. */
export function openSqliteLedger(path: string, options: SqlLedgerOptions): SqlLedger {
  return new SqlLedger(openSqlDatabase<LedgerTables>(path, { migrations: LEDGER_MIGRATIONS }), options);
}

/** The ledger in any database that Kysely speaks to, once its tables are there. */
export class SqlLedger implements Ledger {
  readonly #db: Kysely<LedgerTables>;
  readonly #sealKey: Buffer;
  readonly #meters = new Meters();

  constructor(db: Kysely<LedgerTables>, { sealKey }: SqlLedgerOptions) {
    this.#db = db;
    this.#sealKey = sealKey;
  }

  async position(source: string): Promise<number> {
    const row = await this.#db.selectFrom('sources').select('position').where('source', '=', source).executeTakeFirst();
    return row?.position ?? 0;
  }

  apply({ source, position, events, nowMs }: LedgerBatch): Promise<readonly LedgerEvent[]> {
    return this.#write(async (db) => {
      const fresh = await postUsage(db, events, { meters: this.#meters, sealKey: this.#sealKey, nowMs });
      await db
        .insertInto('sources')
        .values({ source, position })
        .onConflict((conflict) => conflict.column('source').doUpdateSet({ position }).where('sources.position', '<', position))
        .execute();
      return fresh;
    });
  }

  usage(query: UsageQuery): Promise<readonly UsageSum[]> {
    return readUsage(this.#db, query);
  }

  async balance(organization: string): Promise<Balance> {
    const { terms } = await findCustomer(this.#db, organization);
    return readBalance(this.#db, organization, terms);
  }

  customer(organization: string): Promise<Customer> {
    return findCustomer(this.#db, organization);
  }

  putCustomer(customer: Customer, nowMs: number): Promise<void> {
    return putCustomer(this.#db, customer, nowMs);
  }

  addCredit(credit: Credit): Promise<void> {
    return this.#write((db) => insertCredit(db, credit));
  }

  credits(query: ListQuery): Promise<readonly Credit[]> {
    return listCredits(this.#db, query);
  }

  addBudget(budget: Budget): Promise<void> {
    return insertBudget(this.#db, budget);
  }

  budget(id: string): Promise<Budget | null> {
    return findBudget(this.#db, id);
  }

  budgets(query: ListQuery): Promise<readonly Budget[]> {
    return listBudgets(this.#db, query);
  }

  archiveBudget(id: string, nowMs: number): Promise<Budget | null> {
    return archiveBudget(this.#db, id, nowMs);
  }

  markBudget(budget: string, period: string, percent: number): Promise<boolean> {
    return markBudget(this.#db, budget, period, percent);
  }

  async spendingState(nowMs: number): Promise<SpendingState> {
    const prepaid: SpendingState['prepaid'][number][] = [];
    for (const organization of await prepaidOrganizations(this.#db)) prepaid.push(await readBalance(this.#db, organization, 'prepaid'));
    const budgets: SpendingState['budgets'][number][] = [];
    for (const budget of await listBudgets(this.#db, { limit: BUDGETS_MAX })) budgets.push(await budgetState(this.#db, budget, monthOf(nowMs)));
    return { prepaid, budgets };
  }

  rebuild(): Promise<void> {
    return this.#write(rebuildProjections);
  }

  async faults(): Promise<readonly string[]> {
    return [...(await ledgerFaults(this.#db)), ...(await meterFaults(this.#db)), ...(await sealFaults(this.#db, this.#sealKey))];
  }

  close(): Promise<void> {
    return this.#db.destroy();
  }

  async #write<T>(work: (db: Kysely<LedgerTables>) => Promise<T>): Promise<T> {
    try {
      return await this.#db.transaction().execute(work);
    } catch (error) {
      // Numbers of meters that were given in it are gone with it.
      this.#meters.forget();
      throw error;
    }
  }
}
