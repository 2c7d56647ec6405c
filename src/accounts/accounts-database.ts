import type { Kysely } from 'kysely';
import CircuitBreaker from 'opossum';
import { MeridianError } from '../core/index.ts';
import { oneAtATime, openPostgres, openSqlDatabase, raiseRevision, type PostgresOptions } from '../store/index.ts';
import { ACCOUNT_MIGRATIONS } from './account-schema.ts';
import type { AccountTables } from './account-tables.ts';
import { POSTGRES_ACCOUNT_MIGRATIONS } from './postgres-account-schema.ts';

/** Where accounts are kept: in an SQLite file of a locked data directory, or in a database that several gateways share. */
export type AccountsAt = { readonly kind: 'sqlite'; readonly path: string } | ({ readonly kind: 'postgres' } & Omit<PostgresOptions, 'component' | 'migrations'>);

/** A request waits no longer for a key; a server that is away is not dialled for every one. */
const BREAKER = { timeout: 1_000, errorThresholdPercentage: 50, volumeThreshold: 3, resetTimeout: 1_000, rollingCountTimeout: 5_000 } as const;

/** The database of accounts: reads as they come, acts one at a time and each whole or not at all. */
export class AccountsDatabase {
  readonly db: Kysely<AccountTables>;
  readonly #isShared: boolean;
  readonly #lookUps: CircuitBreaker<[() => Promise<unknown>], unknown>;
  #onChange: () => void = () => {};

  private constructor(db: Kysely<AccountTables>, isShared: boolean) {
    this.db = db;
    this.#isShared = isShared;
    this.#lookUps = new CircuitBreaker((read: () => Promise<unknown>) => read(), BREAKER);
  }

  static async open(at: AccountsAt): Promise<AccountsDatabase> {
    if (at.kind === 'sqlite') return new AccountsDatabase(openSqlDatabase<AccountTables>(at.path, { migrations: ACCOUNT_MIGRATIONS }), false);
    const { kind: _, ...options } = at;
    return new AccountsDatabase(await openPostgres<AccountTables>({ ...options, component: 'accounts', migrations: POSTGRES_ACCOUNT_MIGRATIONS }), true);
  }

  /** `act` is told of every change that is made here. */
  set onChange(act: () => void) {
    this.#onChange = act;
  }

  /** Other gateways hear of it when they look next. */
  async write<Value>(work: (db: Kysely<AccountTables>) => Promise<Value>): Promise<Value> {
    const value = await this.db.transaction().execute(async (db) => {
      if (this.#isShared) await oneAtATime(db, 'accounts');
      const done = await work(db);
      if (this.#isShared) await raiseRevision(db, 'accounts');
      return done;
    });
    this.#onChange();
    return value;
  }

  /** A look-up that a request waits for. Rejects with `overloaded` while the database cannot be asked. */
  async lookUp<Value>(read: () => Promise<Value>): Promise<Value> {
    if (!this.#isShared) return read();
    try {
      return (await this.#lookUps.fire(read)) as Value;
    } catch (cause) {
      throw new MeridianError('overloaded', { message: 'API keys cannot be looked up now; try again shortly.', retryAfterMs: 2_000, cause });
    }
  }

  async close(): Promise<void> {
    this.#lookUps.shutdown();
    await this.db.destroy();
  }
}
