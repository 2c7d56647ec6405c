import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { openJournal, openLedger } from '../../src/billing/index.ts';
import { noLog, systemClock } from '../../src/core/index.ts';
import { settleRecord } from '../settle-record.ts';

export interface ShippingFigures {
  readonly rows: number;
  readonly seconds: number;
  readonly rowsPerS: number;
  /** In the ledger, less those in the journal. */
  readonly lostOrDoubled: number;
}

const AT_ONCE = 2_000;

/** A backlog in a journal, brought into PostgreSQL by the ledger's thread. */
export async function shippingFigures(url: string, rows: number, told: (done: number) => void): Promise<ShippingFigures> {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-bench-scale-'));
  const journalPath = join(directory, 'journal.sqlite');
  try {
    const journal = await openJournal({ path: journalPath, groupCommitMs: 2, streamGroupCommitMs: 20, clock: systemClock, log: noLog });
    for (let done = 0; done < rows; done += AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, rows - done) }, () => settleRecord(journal)));
      told(done);
    }
    await journal.close();
    const ledger = await openLedger({ database: { kind: 'postgres', url, connectionsMax: 2, statementMs: 60_000 }, journalPath, source: 'bench', sealKey: Buffer.alloc(32) });
    const startedMs = performance.now();
    await ledger.ship(systemClock.wallMs());
    const seconds = (performance.now() - startedMs) / 1_000;
    const [sum] = await ledger.usage({ fromMs: 0, toMs: systemClock.wallMs() + 86_400_000, grain: 'whole', groupBy: [], only: {} });
    await ledger.close();
    return { rows, seconds, rowsPerS: rows / seconds, lostOrDoubled: (sum?.requests ?? 0) - rows };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
