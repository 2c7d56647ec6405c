import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { Kysely, SqliteDialect, type SqliteDatabase, type SqliteStatement } from 'kysely';
import { LRUCache } from 'lru-cache';
import { openDatabase, type DatabaseOptions } from './database.ts';

const STATEMENTS_MAX = 500;

/**
 * The tables `Tables` in an SQLite file, durable as `openDatabase` says. Transactions run one after the other; a query
 * blocks its thread while it runs. `destroy` closes the file.
 */
export function openSqlDatabase<Tables>(path: string, options: DatabaseOptions): Kysely<Tables> {
  const database = new NodeSqlite(openDatabase(path, options));
  return new Kysely<Tables>({ dialect: new SqliteDialect({ database }) });
}

/** `node:sqlite` as Kysely's SQLite dialect wants it; statements are prepared once. */
class NodeSqlite implements SqliteDatabase {
  readonly #db: DatabaseSync;
  readonly #statements: LRUCache<string, SqliteStatement>;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#statements = new LRUCache({ max: STATEMENTS_MAX });
  }

  prepare(sql: string): SqliteStatement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = statementOf(this.#db.prepare(sql));
    this.#statements.set(sql, made);
    return made;
  }

  close(): void {
    this.#db.close();
  }
}

function statementOf(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...bound(parameters)),
    run: (parameters) => statement.run(...bound(parameters)),
    iterate: (parameters) => statement.iterate(...bound(parameters)),
  };
}

/** Kysely hands parameters over as unknown; what SQLite cannot store it refuses by itself. */
function bound(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters as SQLInputValue[];
}
