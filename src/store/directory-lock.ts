import { DatabaseSync } from 'node:sqlite';
import { MeridianError } from '../core/index.ts';

const SQLITE_BUSY = 5;

/**
 * Holds `file` for this process alone until the returned function is called. It is an SQLite database with an open
 * exclusive transaction, so the operating system lets go of it when the process dies, however it dies.
 * Throws `conflict` at once when somebody else holds it.
 */
export function lockDirectory(directory: string, file: string): () => void {
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (!isBusy(error)) throw error;
    const message = `The data directory ${directory} is in use by another Meridian process. Stop that one, or choose another directory.`;
    throw new MeridianError('conflict', { message, cause: error });
  }
  return () => db.close();
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}
