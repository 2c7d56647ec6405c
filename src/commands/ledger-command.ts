import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { moveAccounts, openAccounts } from '../accounts/index.ts';
import { moveLedger, openJournal, openLedger, openPostgresLedger, openSqliteLedger, type MovedTable } from '../billing/index.ts';
import { MeridianError, noLog, systemClock } from '../core/index.ts';
import { deriveKey, openDataDirectory, writeOnce, type DataDirectory } from '../store/index.ts';
import { andClose } from './and-close.ts';
import { EXIT, UsageError, type Command } from './command.ts';

const GROUP_COMMIT = { groupCommitMs: 2, streamGroupCommitMs: 20 };

/** Moves the books and the keys of a gateway that is alone into a database that several can share. */
export const ledgerCommand: Command = {
  name: 'ledger',
  summary: 'move books and keys from a data directory into PostgreSQL',
  usage: 'move --from sqlite:DIR --to postgres://…',
  options: {
    from: { type: 'string', value: 'sqlite:DIR', help: 'The data directory of a gateway that does not run.' },
    to: { type: 'string', value: 'URL', help: 'An empty database. Said again after a move was broken off, it goes on.' },
    secrets: { type: 'string', value: 'FILE', help: 'Its secrets_file, where it has one.' },
  },
  async run(words) {
    const [act] = words.positionals;
    const [from, to] = [words.text('from'), words.text('to')];
    if (act !== 'move') throw new UsageError('say move');
    if (from === undefined || !from.startsWith('sqlite:')) throw new UsageError('--from takes sqlite: and a data directory, as sqlite:.meridian-gateway');
    if (to === undefined || !/^postgres(ql)?:\/\//.test(to)) throw new UsageError('--to takes the URL of a database, as postgres://user:password@host:5432/database');
    const directory = from.slice('sqlite:'.length);
    if (!existsSync(join(directory, 'ledger.sqlite'))) throw new UsageError(`${directory} has no ledger.sqlite: it is not the data directory of a gateway`);
    const data = openDataDirectory(directory, words.text('secrets'));
    try {
      await move(data, to);
    } finally {
      data.close();
    }
    process.stdout.write(`Done. Say under postgres in the configuration: url, and secrets_file: ${join(directory, 'secrets.json')} for every gateway that shares it.\n`);
    return EXIT.ok;
  },
};

async function move(data: DataDirectory, url: string): Promise<void> {
  const sealKey = deriveKey(data.secrets.keyPepper, 'ledger seals');
  const path = data.path('ledger.sqlite');
  const source = await shipAll(data, path, sealKey);
  const before = openSqliteLedger(path, { sealKey });
  refuseFaults('The ledger of the data directory', await andClose(before, (before) => before.faults()));
  const tables = await moveLedger(path, url, progress);
  await moveAccounts(data.path('accounts.sqlite'), url, progress);
  process.stderr.write('\n');
  await verify(tables, url, data, sealKey);
  // The journal goes on under the name that the ledger knows it by.
  writeOnce(data.path('journal-name'), source);
}

/** Brings what the journal has into the ledger beside it; resolves with the journal's name there. */
async function shipAll(data: DataDirectory, path: string, sealKey: Buffer): Promise<string> {
  const journalPath = data.path('journal.sqlite');
  await (await openJournal({ path: journalPath, ...GROUP_COMMIT, clock: systemClock, log: noLog })).close();
  const reading = openSqliteLedger(path, { sealKey });
  const [source = 'gateway', ...others] = await andClose(reading, (reading) => reading.sources());
  if (others.length > 0) throw new MeridianError('conflict', { message: `The ledger has journals of several gateways (${[source, ...others].join(', ')}): it was moved before, or gateway.id has changed. Ask for help before going on.` });
  const ledger = await openLedger({ database: { kind: 'sqlite', path }, journalPath, source, sealKey });
  await andClose(ledger, (ledger) => ledger.ship(systemClock.wallMs()));
  return source;
}

async function verify(tables: readonly MovedTable[], url: string, data: DataDirectory, sealKey: Buffer): Promise<void> {
  const width = Math.max(...tables.map(({ table }) => table.length));
  for (const { table, from, to } of tables) process.stdout.write(`${table.padEnd(width)}  ${String(from).padStart(10)}  ${String(to).padStart(10)}  ${from === to ? 'same' : 'DIFFERENT'}\n`);
  const different = tables.filter(({ from, to }) => from !== to);
  if (different.length > 0) throw new MeridianError('conflict', { message: `The tables ${different.map(({ table }) => table).join(', ')} have other rows than before. Move into a new database.` });
  const moved = await openPostgresLedger({ url, sealKey, statementMs: 600_000 });
  refuseFaults('The ledger in PostgreSQL', await andClose(moved, (moved) => moved.faults()));
  const accounts = await openAccounts({ at: { kind: 'postgres', url }, pepper: data.secrets.keyPepper, clock: systemClock, log: noLog });
  const { count, fault } = await andClose(accounts, (accounts) => accounts.audit.verify());
  refuseFaults('The audit log in PostgreSQL', fault === null ? [] : [fault]);
  process.stdout.write(`Sums and seals of the ledger are right, and ${count} events of the audit log are as they were written.\n`);
}

function refuseFaults(what: string, faults: readonly string[]): void {
  if (faults.length > 0) throw new MeridianError('conflict', { message: `${what} is not right, and was left as it is: ${faults.join('; ')}.` });
}

function progress(table: string, copied: number, all: number): void {
  if (all > 0) process.stderr.write(`\r${table}: ${copied} of ${all} rows${' '.repeat(20)}`);
}
