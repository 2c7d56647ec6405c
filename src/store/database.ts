import { DatabaseSync } from 'node:sqlite';
import { MeridianError } from '../core/index.ts';

export interface DatabaseOptions {
  /** SQL of each schema version, oldest first. Append only: a published migration is never edited. */
  readonly migrations: readonly string[];
  /** How long a statement waits for another connection's lock. Default 5,000. */
  readonly busyTimeoutMs?: number;
}

/**
 * Opens or creates an SQLite file in which a committed transaction survives a power cut (WAL, `synchronous=FULL`),
 * at the newest schema. Throws `conflict` when the file's schema is newer than `migrations` knows.
 */
export function openDatabase(path: string, options: DatabaseOptions): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: options.busyTimeoutMs ?? 5_000 });
  try {
    // As FULL once the file is in WAL mode; until then it makes the end of a rollback journal durable too.
    db.exec('PRAGMA synchronous = EXTRA; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON');
    migrate(db, path, options.migrations);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Runs `work` in a write transaction: all of it is committed, or, when it throws, none of it. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite has already rolled back by itself after some errors, a full disk among them.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function migrate(db: DatabaseSync, path: string, migrations: readonly string[]): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > migrations.length) {
    const message =
      `${path} has schema version ${version}, but this Meridian knows only up to ${migrations.length}: ` +
      'it was written by a newer one. Run that, or restore a backup.';
    throw new MeridianError('conflict', { message });
  }
  migrations.slice(version).forEach((sql, index) => {
    transaction(db, () => db.exec(`${sql}; PRAGMA user_version = ${version + index + 1}`));
  });
}
