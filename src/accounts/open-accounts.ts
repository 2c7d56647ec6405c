import { createHmac } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { MeridianError } from '../core/index.ts';
import { deriveKey, openDatabase } from '../store/index.ts';
import { ACCOUNT_MIGRATIONS } from './account-schema.ts';
import { AuditLog } from './audit-log.ts';
import type { KeyStoreOptions } from './authenticator.ts';
import { KeyStore } from './key-store.ts';
import { DEFAULT_ORGANIZATION } from './tenant.ts';
import { TenantStore } from './tenant-store.ts';

export interface AccountsOptions extends KeyStoreOptions {
  /** The SQLite file, in a locked data directory. */
  readonly path: string;
}

/** Who may use the gateway, and who changed that. */
export interface Accounts {
  readonly keys: KeyStore;
  readonly tenants: TenantStore;
  readonly audit: AuditLog;
  close(): void;
}

/** Opens the accounts at `options.path`. Throws `conflict` when their keys were made under another pepper. */
export function openAccounts(options: AccountsOptions): Accounts {
  const { path, pepper, clock } = options;
  const db = openDatabase(path, { migrations: ACCOUNT_MIGRATIONS });
  try {
    checkPepper(db, options);
    const audit = new AuditLog(db, deriveKey(pepper, 'audit log'), clock);
    const tenants = new TenantStore({ db, audit, clock, onChange: () => keys.forget() });
    tenants.ensureProject(DEFAULT_ORGANIZATION, undefined);
    const keys = new KeyStore(db, tenants, audit, options);
    return {
      keys,
      tenants,
      audit,
      close() {
        keys.close();
        db.close();
      },
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A file of hashes is of no use under another pepper: better to say so than to call every key unknown. */
function checkPepper(db: DatabaseSync, { path, pepper }: AccountsOptions): void {
  const fingerprint = createHmac('sha256', pepper).update('meridian key pepper').digest();
  const stored = db.prepare('SELECT fingerprint FROM pepper_check').get()?.['fingerprint'];
  if (stored === undefined) {
    db.prepare('INSERT INTO pepper_check (fingerprint) VALUES (?)').run(fingerprint);
  } else if (!(stored instanceof Uint8Array) || !fingerprint.equals(stored)) {
    const message = `The keys in ${path} were made with other secrets than those of this data directory. Restore secrets.json from a backup.`;
    throw new MeridianError('conflict', { message });
  }
}
