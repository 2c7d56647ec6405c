export { openDataDirectory, type DataDirectory } from './data-directory.ts';
export { openDatabase, transaction, type DatabaseOptions } from './database.ts';
export { deriveKey, loadSecrets, readIfThere, writeDurably, writeOnce, type Secrets } from './secrets.ts';
export { openSqlDatabase } from './sql-database.ts';
export { oneAtATime, openPostgres, serverOf, type PostgresOptions } from './postgres.ts';
export { raiseRevision, readRevisions } from './revisions.ts';
export { copyTable, prepareCopies, writeRows, type TableCopy } from './copy-table.ts';
