import { writeSync } from 'node:fs';
import { openJournal } from '../../src/billing/index.ts';
import { noLog, systemClock } from '../../src/core/index.ts';
import { newRequestId, openOf, recordOf } from './records.ts';

/**
 * Run as a process of its own with a journal's path and a count: settles on many lanes, prints each id the moment it is
 * acknowledged, and kills itself the moment the count is reached, with other records under way.
 */
const journal = await openJournal({ path: process.argv[2] ?? '', groupCommitMs: 1, streamGroupCommitMs: 1, clock: systemClock, log: noLog });

let left = Number(process.argv[3]);

async function lane(): Promise<never> {
  for (;;) {
    const id = newRequestId();
    journal.open(openOf(id));
    await journal.settle(recordOf(id));
    writeSync(1, `${id}\n`);
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  }
}
await Promise.all(Array.from({ length: 16 }, lane));
