import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openJournal, openLedger } from '../../src/billing/index.ts';
import { noLog, systemClock } from '../../src/core/index.ts';
import { newRequestId, openOf, recordOf } from './records.ts';

/**
 * Run as a process of its own with a directory, a count and a file: settles on many lanes while the ledger is filled, writes each
 * id to the file the moment it is acknowledged, and kills itself the moment the count is reached.
 */
const directory = process.argv[2] ?? '';
const journalPath = join(directory, 'journal.sqlite');
const journal = await openJournal({ path: journalPath, groupCommitMs: 1, streamGroupCommitMs: 1, clock: systemClock, log: noLog });
const ledger = await openLedger({ database: { kind: 'sqlite', path: join(directory, 'ledger.sqlite') }, journalPath, source: 'victim', sealKey: Buffer.alloc(32, 1) });

let left = Number(process.argv[3]);
const acknowledged = openSync(process.argv[4] ?? '', 'a');

async function settling(): Promise<never> {
  for (;;) {
    const id = newRequestId();
    journal.open(openOf(id));
    await journal.settle(recordOf(id));
    writeSync(acknowledged, `${id}\n`);
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  }
}

async function shipping(): Promise<never> {
  for (;;) await ledger.ship(systemClock.wallMs());
}
await Promise.all([...Array.from({ length: 16 }, settling), shipping()]);
