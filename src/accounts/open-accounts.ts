import { createHmac } from 'node:crypto';
import { MeridianError } from '../core/index.ts';
import { deriveKey } from '../store/index.ts';
import { AccountsDatabase, type AccountsAt } from './accounts-database.ts';
import { AuditLog } from './audit-log.ts';
import type { KeyStoreOptions } from './authenticator.ts';
import { KeyStore } from './key-store.ts';
import { DEFAULT_ORGANIZATION, defaultProject } from './tenant.ts';
import { ensureProject, findProject } from './tenant-rows.ts';
import { TenantStore } from './tenant-store.ts';

export interface AccountsOptions extends KeyStoreOptions {
  readonly at: AccountsAt;
  /** Told of every change that is made here. */
  readonly onChange?: () => void;
}

/** Who may use the gateway, and who changed that. */
export interface Accounts {
  readonly keys: KeyStore;
  readonly tenants: TenantStore;
  readonly audit: AuditLog;
  close(): Promise<void>;
}

/** Opens the accounts at `options.at`. Rejects with `conflict` when their keys were made under another pepper. */
export async function openAccounts(options: AccountsOptions): Promise<Accounts> {
  const { at, pepper, clock, onChange = () => {} } = options;
  const database = await AccountsDatabase.open(at);
  try {
    await checkPepper(database, options);
    const audit = new AuditLog(database, deriveKey(pepper, 'audit log'), clock);
    const keys = new KeyStore(database, audit, options);
    database.onChange = () => {
      keys.forget();
      onChange();
    };
    const isNew = (await findProject(database.db, defaultProject(DEFAULT_ORGANIZATION))) === null;
    if (isNew) await database.write((db) => ensureProject(db, DEFAULT_ORGANIZATION, undefined, clock.wallMs()));
    return {
      keys,
      tenants: new TenantStore(database, audit, clock),
      audit,
      async close() {
        await keys.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** A table of hashes is of no use under another pepper: better to say so than to call every key unknown. */
function checkPepper(database: AccountsDatabase, { at, pepper }: AccountsOptions): Promise<void> {
  const fingerprint = createHmac('sha256', pepper).update('meridian key pepper').digest();
  return database.write(async (db) => {
    const stored = await db.selectFrom('pepper_check').select('fingerprint').executeTakeFirst();
    if (stored === undefined) await db.insertInto('pepper_check').values({ fingerprint }).execute();
    else if (!fingerprint.equals(stored.fingerprint)) throw new MeridianError('conflict', { message: whyOther(at) });
  });
}

function whyOther(at: AccountsAt): string {
  return at.kind === 'sqlite'
    ? `The keys in ${at.path} were made with other secrets than those of this data directory. Restore secrets.json from a backup.`
    : "The keys in PostgreSQL were made with other secrets than this gateway's. Give all gateways on one database the same file: copy secrets.json of the first one, and name it in secrets_file.";
}
