import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { lockDirectory } from './directory-lock.ts';
import { loadSecrets, type Secrets } from './secrets.ts';

/** The one folder in which a gateway keeps everything that must survive it; held by one process at a time. */
export interface DataDirectory {
  readonly secrets: Secrets;
  /** Absolute path of the file `name` in it. */
  path(name: string): string;
  /** Lets go of the directory. Close what is open in it first. */
  close(): void;
}

/**
 * Opens `directory`, made when absent (mode 0700), for this process alone. `secretsFile`: where its secrets are, when several
 * directories share them.
 * Throws `conflict` when another process has it or its secrets are damaged.
 */
export function openDataDirectory(directory: string, secretsFile?: string): DataDirectory {
  const root = resolve(directory);
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(root, join(root, 'lock.sqlite'));
  try {
    const secrets = loadSecrets(secretsFile ?? join(root, 'secrets.json'));
    return { secrets, path: (name) => join(root, name), close: unlock };
  } catch (error) {
    unlock();
    throw error;
  }
}
