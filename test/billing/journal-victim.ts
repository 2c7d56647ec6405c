import { openSync, writeSync } from 'node:fs';
import { openJournal } from '../../src/billing/index.ts';
import { noLog, systemClock } from '../../src/core/index.ts';
import { newRequestId, openOf, recordOf } from './records.ts';

/**
 * Run as a process of its own with a journal's path, a count and a file: settles on many lanes, writes each id to the file the
 * moment it is acknowledged, and kills itself the moment the count is reached, with other records under way.
 */
const journal = await openJournal({ path: process.argv[2] ?? '', groupCommitMs: 1, streamGroupCommitMs: 1, clock: systemClock, log: noLog });

let left = Number(process.argv[3]);
// A file takes every write at once; a pipe whose reader is slow refuses some.
const acknowledged = openSync(process.argv[4] ?? '', 'a');

async function lane(): Promise<never> {
  for (;;) {
    const id = newRequestId();
    journal.open(openOf(id));
    await journal.settle(recordOf(id));
    writeSync(acknowledged, `${id}\n`);
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  }
}
await Promise.all(Array.from({ length: 16 }, lane));
