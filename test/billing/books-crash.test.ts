import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { chargeOf, chargeTotal, openJournal, openLedger, type UsageRecord } from '../../src/billing/index.ts';
import { noLog, sumOf, systemClock } from '../../src/core/index.ts';

const VICTIM = fileURLToPath(new URL('./books-victim.ts', import.meta.url));
const SHIM = fileURLToPath(new URL('./power-cut.c', import.meta.url));

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-books-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Runs a process that keeps books in `data` until it dies after `count` acknowledged records. */
async function victim(data: string, count: number, acknowledged: string, env: NodeJS.ProcessEnv = {}): Promise<void> {
  const child = spawn(process.execPath, [VICTIM, data, String(count), acknowledged], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });
  expect(await once(child, 'close')).toEqual([null, 'SIGKILL']);
}

/** Opens what was left in `data`, brings the ledger up to the journal, and holds all against what was acknowledged. */
async function expectWhole(data: string, acknowledgedFile: string): Promise<void> {
  const journalPath = join(data, 'journal.sqlite');
  const journal = await openJournal({ path: journalPath, groupCommitMs: 1, streamGroupCommitMs: 1, clock: systemClock, log: noLog });
  const ledger = await openLedger({ database: { kind: 'sqlite', path: join(data, 'ledger.sqlite') }, journalPath, source: 'victim', sealKey: Buffer.alloc(32, 1) });
  try {
    await ledger.ship(systemClock.wallMs());
    const records: UsageRecord[] = [];
    for (let hasMore = true; hasMore; ) {
      const page = await journal.list({ limit: 1_000, after: records.at(-1)?.requestId });
      records.push(...page.entries.map(({ record }) => record));
      hasMore = page.hasMore;
    }
    const completed = new Set(records.filter(({ outcome }) => outcome === 'completed').map(({ requestId }) => requestId));
    const acknowledged = readFileSync(acknowledgedFile, 'utf8').split('\n').slice(0, -1);
    expect(acknowledged.filter((id) => !completed.has(id))).toEqual([]);
    const usage = await ledger.usage({ fromMs: 0, toMs: 8_640_000_000_000_000 / 2, grain: 'day', groupBy: [], only: {} });
    expect(usage.reduce((sum, { requests }) => sum + requests, 0)).toBe(records.length);
    const cost = sumOf(records.map((record) => chargeTotal(chargeOf(record.usage, record.price))));
    expect((await ledger.balance('org_default')).unbilled).toBe(cost);
    expect(await ledger.faults()).toEqual([]);
  } finally {
    await ledger.close();
    await journal.close();
  }
}

test('kill -9 at any moment leaves books that agree with every acknowledged record, each in them once', async () => {
  const data = newDirectory();
  const acknowledged = join(newDirectory(), 'acknowledged');
  for (const count of [1, 40, 333, 1_200]) await victim(data, count, acknowledged);
  await expectWhole(data, acknowledged);
});

test('a power cut that drops what was not synced loses no acknowledged record, and the books agree', { timeout: 60_000 }, async ({ skip }) => {
  const shim = compiledShim();
  if (shim === null) return skip('there is no C compiler, or this is no Linux');
  const [data, disk, elsewhere] = [newDirectory(), newDirectory(), newDirectory()];
  const acknowledged = join(elsewhere, 'acknowledged');
  for (const [i, count] of [3, 120, 500].entries()) {
    // Each life begins with what the one before left on the disk.
    const [from, to] = i % 2 === 0 ? [data, disk] : [disk, data];
    for (const file of readdirSync(to)) rmSync(join(to, file));
    for (const file of readdirSync(from)) copyFileSync(join(from, file), join(to, file));
    await victim(from, count, acknowledged, { LD_PRELOAD: shim, POWER_CUT_ROOT: from, POWER_CUT_DISK: to });
    for (const file of readdirSync(to)) if (file.endsWith('.draft')) rmSync(join(to, file));
  }
  await expectWhole(disk, acknowledged);
});

function compiledShim(): string | null {
  if (process.platform !== 'linux') return null;
  const directory = newDirectory();
  const shim = join(directory, 'power-cut.so');
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, SHIM, '-ldl'], { stdio: 'pipe' });
    return shim;
  } catch {
    return null;
  }
}
