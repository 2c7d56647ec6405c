import type { Kysely } from 'kysely';
import { instantMs, isDate, MeridianError } from '../../core/index.ts';
import type { JournalTail } from '../journal/journal-tail.ts';
import { openPostgres, openSqlDatabase, type PostgresOptions } from '../../store/index.ts';
import type { SpendingTerms } from '../holds/shared-spending.ts';
import type { BudgetReached } from '../holds/spending.ts';
import { SqlWebhooks } from '../webhooks/sql-webhooks.ts';
import type { WebhookTables } from '../webhooks/webhook-schema.ts';
import type { PriceRow } from '../prices/price-book.ts';
import type { Balance, Budget, BudgetState, Credit, SpendingState } from './billing-account.ts';
import { archiveBudget, budgetState, findBudget, insertBudget, listBudgets, markBudget } from './budget-table.ts';
import { insertCredit, listCredits, readBalance } from './credit-table.ts';
import { findCustomer, prepaidOrganizations, putCustomer, type Customer } from './customer-table.ts';
import type { Invoice } from '../invoices/invoice.ts';
import type { InvoiceSnapshot } from '../invoices/invoice-snapshot.ts';
import {
  createInvoice,
  creditInvoice,
  finalizeInvoice,
  payInvoice,
  voidInvoice,
  writeOffInvoice,
  type CreditNoteAct,
  type InvoiceAct,
  type NewInvoice,
} from './invoice-acts.ts';
import { invoiceContent, type InvoiceTerms } from './invoice-content.ts';
import { findInvoice, findInvoiceOf, listInvoices } from './invoice-table.ts';
import { ledgerFaults } from './ledger-faults.ts';
import { LEDGER_MIGRATIONS } from './ledger-schema.ts';
import type { LedgerStore } from './ledger-store.ts';
import type { LedgerTables } from './ledger-tables.ts';
import type { Applied, Ledger, LedgerBatch, ListQuery } from './ledger.ts';
import { meterFaults, Meters } from './meters.ts';
import { monthOf } from './month.ts';
import { POSTGRES_LEDGER_MIGRATIONS } from './postgres-schema.ts';
import { postgresStore } from './postgres-store.ts';
import { insertPrice, listPrices } from './price-table.ts';
import { reconcile, type Reconciliation } from './reconcile.ts';
import { rebuildProjections } from './rebuild.ts';
import { sealFaults } from './seals.ts';
import { sqliteStore } from './sqlite-store.ts';
import { postUsage } from './usage-postings.ts';
import type { UsageQuery, UsageSum } from './usage-query.ts';
import { readUsage } from './usage-reads.ts';

export interface PostgresLedgerOptions extends SqlLedgerOptions, Omit<PostgresOptions, 'component' | 'migrations'> {}

export interface SqlLedgerOptions {
  /** 32 secret bytes that key the seals of the events; the same for the life of the ledger. */
  readonly sealKey: Buffer;
}

const BUDGETS_MAX = 1_000_000;

/** The ledger in an SQLite file of its own. */
export function openSqliteLedger(path: string, options: SqlLedgerOptions): SqlLedger {
  return new SqlLedger(openSqlDatabase<LedgerTables>(path, { migrations: LEDGER_MIGRATIONS }), sqliteStore, options);
}

/** The ledger in a PostgreSQL database, which several gateways may share. Rejects as `openPostgres` does. */
export async function openPostgresLedger({ sealKey, ...options }: PostgresLedgerOptions): Promise<SqlLedger> {
  const db = await openPostgres<LedgerTables>({ ...options, component: 'ledger', migrations: POSTGRES_LEDGER_MIGRATIONS });
  return new SqlLedger(db, postgresStore, { sealKey });
}

/** The ledger in any database that Kysely speaks to, once its tables are there. */
export class SqlLedger implements Ledger {
  readonly #db: Kysely<LedgerTables>;
  readonly #store: LedgerStore;
  readonly #sealKey: Buffer;
  readonly #meters = new Meters();

  constructor(db: Kysely<LedgerTables>, store: LedgerStore, { sealKey }: SqlLedgerOptions) {
    this.#db = db;
    this.#store = store;
    this.#sealKey = sealKey;
  }

  async position(source: string): Promise<number> {
    const row = await this.#db.selectFrom('sources').select('position').where('source', '=', source).executeTakeFirst();
    return row?.position ?? 0;
  }

  apply({ source, position, events, nowMs }: LedgerBatch): Promise<Applied> {
    return this.#write(async (db) => {
      const fresh = await postUsage(db, events, { meters: this.#meters, store: this.#store, sealKey: this.#sealKey, nowMs });
      const takenOff = await this.#store.takeOff(db, source, fresh);
      await db
        .insertInto('sources')
        .values({ source, position })
        .onConflict((conflict) => conflict.column('source').doUpdateSet({ position }).where('sources.position', '<', position))
        .execute();
      return { fresh, takenOff };
    });
  }

  /** Journals of gateways that were applied. */
  async sources(): Promise<readonly string[]> {
    const rows = await this.#db.selectFrom('sources').select('source').where('source', '!=', 'reconciliation').orderBy('source').execute();
    return rows.map(({ source }) => source);
  }

  usage(query: UsageQuery): Promise<readonly UsageSum[]> {
    return readUsage(this.#db, query);
  }

  addPrice(row: PriceRow, nowMs: number): Promise<void> {
    return this.#write(async (db) => {
      await insertPrice(db, row, nowMs);
      await this.#store.changed(db, 'prices');
    });
  }

  prices(): Promise<readonly PriceRow[]> {
    return listPrices(this.#db);
  }

  async balance(organization: string): Promise<Balance> {
    const { terms } = await findCustomer(this.#db, organization);
    return readBalance(this.#db, organization, terms);
  }

  customer(organization: string): Promise<Customer> {
    return findCustomer(this.#db, organization);
  }

  putCustomer(customer: Customer, nowMs: number): Promise<void> {
    return this.#write(async (db) => {
      await putCustomer(db, customer, nowMs);
      await this.#store.changed(db, 'spending');
    });
  }

  addCredit(credit: Credit): Promise<void> {
    return this.#write((db) => insertCredit(db, credit));
  }

  credits(query: ListQuery): Promise<readonly Credit[]> {
    return listCredits(this.#db, query);
  }

  addBudget(budget: Budget): Promise<void> {
    return this.#write(async (db) => {
      await insertBudget(db, budget);
      await this.#store.changed(db, 'spending');
    });
  }

  async budget(id: string, nowMs: number): Promise<BudgetState | null> {
    const found = await findBudget(this.#db, id);
    return found === null ? null : budgetState(this.#db, found, monthOf(nowMs));
  }

  async budgets(query: ListQuery, nowMs: number): Promise<readonly BudgetState[]> {
    const states: BudgetState[] = [];
    for (const budget of await listBudgets(this.#db, query)) states.push(await budgetState(this.#db, budget, monthOf(nowMs)));
    return states;
  }

  archiveBudget(id: string, nowMs: number): Promise<Budget | null> {
    return this.#write(async (db) => {
      const budget = await archiveBudget(db, id, nowMs);
      await this.#store.changed(db, 'spending');
      return budget;
    });
  }

  markBudget(reached: BudgetReached, nowMs: number): Promise<boolean> {
    return this.#write((db) => markBudget(db, reached, nowMs));
  }

  /** What is told to webhook endpoints of what happens in this ledger. */
  get webhooks(): SqlWebhooks {
    return new SqlWebhooks(this.#db.$pickTables<keyof WebhookTables>(), (db) => this.#store.lock(db as unknown as Kysely<LedgerTables>, 'webhooks'));
  }

  createInvoice(draft: NewInvoice, terms: InvoiceTerms): Promise<Invoice> {
    return this.#write((db) => createInvoice(db, draft, terms));
  }

  invoice(id: string, terms: InvoiceTerms): Promise<Invoice | null> {
    return findInvoice(this.#db, id, terms);
  }

  invoiceOf(organization: string, period: string, terms: InvoiceTerms): Promise<Invoice | null> {
    return findInvoiceOf(this.#db, organization, period, terms);
  }

  invoices(query: ListQuery, terms: InvoiceTerms): Promise<readonly Invoice[]> {
    return listInvoices(this.#db, query, terms);
  }

  previewInvoice(organization: string, period: string, terms: InvoiceTerms): Promise<InvoiceSnapshot> {
    return invoiceContent(this.#db, organization, period, terms);
  }

  finalizeInvoice(act: InvoiceAct): Promise<Invoice> {
    return this.#write((db) => finalizeInvoice(db, act));
  }

  payInvoice(act: InvoiceAct): Promise<Invoice> {
    return this.#write((db) => payInvoice(db, act));
  }

  voidInvoice(act: InvoiceAct): Promise<Invoice> {
    return this.#write((db) => voidInvoice(db, act));
  }

  writeOffInvoice(act: InvoiceAct): Promise<Invoice> {
    return this.#write((db) => writeOffInvoice(db, act));
  }

  creditInvoice(act: CreditNoteAct): Promise<Invoice> {
    return this.#write((db) => creditInvoice(db, act));
  }

  async spendingState(nowMs: number): Promise<SpendingState> {
    const prepaid: SpendingState['prepaid'][number][] = [];
    for (const organization of await prepaidOrganizations(this.#db)) prepaid.push(await readBalance(this.#db, organization, 'prepaid'));
    return { nowMs, prepaid, budgets: await this.budgets({ limit: BUDGETS_MAX }, nowMs) };
  }

  async spendingTerms(): Promise<SpendingTerms> {
    return { prepaid: await prepaidOrganizations(this.#db), budgets: await listBudgets(this.#db, { limit: BUDGETS_MAX }) };
  }

  dropOldEvents(keptMonths: number, nowMs: number): Promise<readonly string[]> {
    return this.#write((db) => this.#store.dropOldEvents(db, keptMonths, nowMs, this.#sealKey));
  }

  /** Holds the counts of a day against each other, by the journal's records. Throws `invalid_value` unless `day` is a day. */
  reconcile(tail: Pick<JournalTail, 'record'>, day: string): Promise<Reconciliation> {
    const fromMs = isDate(day) ? instantMs(`${day}T00:00:00Z`) : null;
    if (fromMs === null) throw new MeridianError('invalid_value', { param: 'day', message: `Invalid value for 'day': expected a day, as "2026-11-26", got "${day.slice(0, 40)}".` });
    return reconcile(this.#db, tail, day, fromMs);
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
      return await this.#db.transaction().execute(async (db) => {
        await this.#store.lock(db, 'ledger');
        return work(db);
      });
    } catch (error) {
      // Numbers of meters that were given in it are gone with it.
      this.#meters.forget();
      throw error;
    }
  }
}
