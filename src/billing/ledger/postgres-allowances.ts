import type { Kysely } from 'kysely';
import CircuitBreaker from 'opossum';
import { MeridianError, type Clock, type Logger } from '../../core/index.ts';
import type { AllowanceMove, AllowanceMoved, Allowances } from '../holds/allowances.ts';
import type { AllowanceTables } from './allowance-schema.ts';
import { beatHolder, becomeHolder, becomeHolderAgain, moveAllowance, releaseHolder } from './allowance-table.ts';
import type { LedgerTables } from './ledger-tables.ts';

export interface PostgresAllowancesOptions {
  /** Of the ledger. */
  readonly db: Kysely<unknown>;
  /** Name of this gateway's journal in the ledger. */
  readonly source: string;
  /** How long a gateway goes on by itself unheard, which is as long again as it has to end what it began. */
  readonly allowanceMs: number;
  /** The books have all that was charged here. */
  readonly isAllBooked: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

type Tables = LedgerTables & AllowanceTables;

/** The ledger made them. */
function tablesOf(db: Kysely<unknown>): Kysely<Tables> {
  return db as Kysely<Tables>;
}

/** What the gateway of this journal had set aside is free again: its journal is in the books whole, and it is not running. */
export function releaseAllowances(db: Kysely<unknown>, source: string): Promise<void> {
  return releaseHolder(tablesOf(db), source);
}

/** A move that takes longer is as good as refused: a request waits for it. Open after three in a row, and tried again after a second. */
const BREAKER = { timeout: 1_000, errorThresholdPercentage: 50, volumeThreshold: 3, resetTimeout: 1_000, rollingCountTimeout: 5_000 } as const;

/** How the beats of another gateway looked when they changed last. */
interface Heard {
  readonly beat: number;
  readonly sinceMs: number;
}

/** Allowances in the ledger's PostgreSQL database. Close it before the database. */
export class PostgresAllowances implements Allowances {
  readonly #options: PostgresAllowancesOptions;
  readonly #db: Kysely<Tables>;
  readonly #moves: CircuitBreaker<[AllowanceMove], AllowanceMoved>;
  readonly #heard = new Map<string, Heard>();

  private constructor(options: PostgresAllowancesOptions) {
    this.#options = options;
    this.#db = tablesOf(options.db);
    const errorFilter = (error: unknown): boolean => error instanceof MeridianError;
    this.#moves = new CircuitBreaker((move: AllowanceMove) => moveAllowance(this.#db, options.source, move), { ...BREAKER, errorFilter });
  }

  /** With nothing set aside: the books must have all that the journal has, and no request be under way. */
  static async open(options: PostgresAllowancesOptions): Promise<PostgresAllowances> {
    await becomeHolder(tablesOf(options.db), options.source);
    return new PostgresAllowances(options);
  }

  async move(move: AllowanceMove): Promise<AllowanceMoved> {
    try {
      return await this.#moves.fire(move);
    } catch (cause) {
      if (cause instanceof MeridianError) throw cause;
      throw new MeridianError('overloaded', { message: 'What may still be spent cannot be looked up now; try again shortly.', retryAfterMs: 2_000, cause });
    }
  }

  async beat(): Promise<boolean> {
    const { source } = this.#options;
    const db = this.#db;
    try {
      const isHolder = await beatHolder(db, source);
      if (!isHolder) await becomeHolderAgain(db, source);
      await this.#releaseSilent();
      return isHolder;
    } catch (error) {
      // While this gateway hears nothing, it cannot say that another one is silent.
      this.#heard.clear();
      throw error;
    }
  }

  /** Gives everything back, now that no request is under way any more; what was charged and is not in the books stays set aside until it is. */
  async close(): Promise<void> {
    this.#moves.shutdown();
    if (!this.#options.isAllBooked()) return;
    await releaseHolder(this.#db, this.#options.source).catch((error: unknown) =>
      this.#options.log.warn({ error: String(error) }, 'what this gateway had set aside of budgets could not be given back; its next start does it'),
    );
  }

  /** By this gateway's own clock, and only while it hears the database all the time: no two clocks are compared. */
  async #releaseSilent(): Promise<void> {
    const db = this.#db;
    const { source, allowanceMs, clock, log } = this.#options;
    const nowMs = clock.now();
    for (const { source: other, beat } of await db.selectFrom('allowance_holders').selectAll().where('source', '!=', source).execute()) {
      const heard = this.#heard.get(other);
      if (heard === undefined || heard.beat !== beat) {
        this.#heard.set(other, { beat, sinceMs: nowMs });
      } else if (nowMs - heard.sinceMs > 2 * allowanceMs) {
        // Only if it is silent still.
        const gone = await db.deleteFrom('allowance_holders').where('source', '=', other).where('beat', '=', beat).returning('source').executeTakeFirst();
        this.#heard.delete(other);
        if (gone !== undefined) log.warn({ source: other }, 'nothing was heard of a gateway for long: what it had set aside of budgets is free again');
      }
    }
  }
}
