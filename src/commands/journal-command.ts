import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openJournal, openLedger, releaseAllowances } from '../billing/index.ts';
import { loadGatewayConfig } from '../config/index.ts';
import { MeridianError, systemClock } from '../core/index.ts';
import { deriveKey, openDataDirectory, openPostgres, readIfThere } from '../store/index.ts';
import { jsonLog } from '../telemetry/index.ts';
import { EXIT, UsageError, type Command } from './command.ts';

/** Brings the usage of a gateway that does not return into the database it shared. */
export const journalCommand: Command = {
  name: 'journal',
  summary: 'bring the usage of a gateway that does not return into PostgreSQL',
  usage: 'ship DIR --config FILE [--after-restore]',
  options: {
    config: { type: 'string', value: 'FILE', help: 'The configuration of the gateway.' },
    'after-restore': { type: 'boolean', help: 'The database was restored from a backup, and lacks usage that it had before.' },
  },
  async run(words) {
    const [act, directory] = words.positionals;
    const file = words.text('config');
    if (act !== 'ship' || directory === undefined) throw new UsageError('say ship and the data directory of the gateway');
    if (file === undefined) throw new UsageError('--config FILE is missing');
    const { postgres, secretsFile, journal: settings } = loadGatewayConfig(file, process.env);
    if (postgres === undefined) throw new UsageError(`${file} has no postgres: there is no ledger beyond the data directory`);
    if (!existsSync(join(directory, 'journal.sqlite'))) throw new UsageError(`${directory} has no journal.sqlite: it is not the data directory of a gateway`);
    const log = jsonLog({ level: 'warn', clock: systemClock, stream: process.stderr });
    const data = openDataDirectory(directory, secretsFile);
    try {
      const source = readIfThere(data.path('journal-name'));
      if (source === null) throw new MeridianError('conflict', { message: `The gateway of ${directory} has never used PostgreSQL. Its books are in ledger.sqlite beside its journal.` });
      const journalPath = data.path('journal.sqlite');
      // Requests that were open when it died are settled from their last checkpoint.
      const { groupCommitMs, streamGroupCommitMs } = settings;
      await (await openJournal({ path: journalPath, groupCommitMs, streamGroupCommitMs, clock: systemClock, log })).close();
      const lines = await ship({ url: postgres.url, statementMs: postgres.statementMs, source, journalPath, sealKey: deriveKey(data.secrets.keyPepper, 'ledger seals'), acceptsRestored: words.flag('after-restore') });
      process.stdout.write(`${lines} lines of the journal ${source} were brought over; what it had set aside of budgets is free again.\n`);
      return EXIT.ok;
    } finally {
      data.close();
    }
  },
};

interface Shipping {
  readonly url: string;
  readonly statementMs: number;
  readonly source: string;
  readonly journalPath: string;
  readonly sealKey: Buffer;
  readonly acceptsRestored: boolean;
}

async function ship({ url, statementMs, source, journalPath, sealKey, acceptsRestored }: Shipping): Promise<number> {
  let booked = 0;
  const onBooked = ({ requests }: { readonly requests: readonly string[] }): void => {
    booked += requests.length;
    process.stderr.write(`\r${booked} requests are new in the ledger …`);
  };
  const database = { kind: 'postgres' as const, url, connectionsMax: 2, statementMs: 10 * statementMs };
  const ledger = await openLedger({ database, journalPath, source, sealKey, acceptsRestored, onBooked });
  try {
    const lines = await ledger.ship(systemClock.wallMs());
    if (booked > 0) process.stderr.write('\n');
    const db = await openPostgres<unknown>({ url, component: 'gateways', migrations: [] });
    try {
      await releaseAllowances(db, source);
    } finally {
      await db.destroy();
    }
    return lines;
  } finally {
    await ledger.close();
  }
}
