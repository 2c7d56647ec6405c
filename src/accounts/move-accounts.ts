import { DatabaseSync } from 'node:sqlite';
import { copyTable, openPostgres, prepareCopies } from '../store/index.ts';
import { POSTGRES_ACCOUNT_MIGRATIONS } from './postgres-account-schema.ts';

const TABLES = [
  { table: 'organizations', order: 'seq', identity: 'seq' },
  { table: 'projects', order: 'seq', identity: 'seq' },
  { table: 'service_accounts', order: 'seq', identity: 'seq' },
  { table: 'keys', order: 'seq', identity: 'seq' },
  { table: 'audit_events', order: 'seq' },
  { table: 'audit_head', order: 'seal' },
  { table: 'pepper_check', order: 'fingerprint' },
] as const;

/** Copies the accounts of an SQLite file that nobody writes into PostgreSQL; goes on where it was broken off. */
export async function moveAccounts(path: string, url: string, told: (table: string, copied: number, all: number) => void): Promise<void> {
  const from = new DatabaseSync(path, { readOnly: true });
  const to = await openPostgres<unknown>({ url, component: 'accounts', migrations: POSTGRES_ACCOUNT_MIGRATIONS, connectionsMax: 2, statementMs: 600_000 });
  try {
    await prepareCopies(to);
    for (const one of TABLES) await copyTable({ ...one, from, to, told: (copied, all) => told(one.table, copied, all) });
  } finally {
    from.close();
    await to.destroy();
  }
}
