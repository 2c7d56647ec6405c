import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { openJournal, type UsageRecord } from '../../src/billing/index.ts';
import { noLog, systemClock } from '../../src/core/index.ts';
import { JournalDirectory } from './journal-directory.ts';
import { newRequestId, recordOf } from './records.ts';

const VICTIM = fileURLToPath(new URL('./journal-victim.ts', import.meta.url));

test('kill -9 loses no acknowledged record, and none is there twice', async () => {
  const directory = new JournalDirectory();
  const file = `${directory.path}.acknowledged`;
  for (const count of [1, 50, 403, 1_500]) {
    const child = spawn(process.execPath, [VICTIM, directory.path, String(count), file], { stdio: ['ignore', 'ignore', 'inherit'] });
    expect(await once(child, 'close')).toEqual([null, 'SIGKILL']);
  }
  const acknowledged = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  const journal = await directory.openJournal();
  const settled: UsageRecord[] = [];
  for (;;) {
    const page = await journal.list({ limit: 1_000, after: settled.at(-1)?.requestId });
    settled.push(...page.entries.map((entry) => entry.record));
    if (!page.hasMore) break;
  }
  const completed = new Set(settled.filter((record) => record.outcome === 'completed').map((record) => record.requestId));
  expect(acknowledged).toHaveLength(1_954);
  expect(acknowledged.filter((id) => !completed.has(id))).toEqual([]);
  expect(new Set(settled.map((record) => record.requestId)).size).toBe(settled.length);
  expect(await journal.totals()).toMatchObject({ requests: settled.length });
  await directory.remove();
});

test('row 36: a full disk makes the journal unhealthy; with room again it recovers and has lost nothing', async ({ skip }) => {
  const disk = mountSmallDisk();
  if (disk === null) return skip('this user may not mount a small disk');
  const journal = await openJournal({ path: join(disk, 'journal.sqlite'), groupCommitMs: 1, streamGroupCommitMs: 1, retryMs: 5, clock: systemClock, log: noLog });
  try {
    const first = recordOf(newRequestId());
    const others = Array.from({ length: 300 }, () => recordOf(newRequestId()));
    await journal.settle(first);
    fillDisk(join(disk, 'filler'));
    const outcomes = await Promise.allSettled(others.map((record) => journal.settle(record)));
    expect(outcomes.every((outcome) => outcome.status === 'rejected')).toBe(true);
    expect(journal.healthy).toBe(false);
    expect((await journal.find(first.requestId))?.record).toEqual(first);

    rmSync(join(disk, 'filler'));
    await vi.waitUntil(() => journal.healthy);
    await journal.flush();
    expect((await journal.list({ limit: 1_000 })).entries.map((entry) => entry.record)).toEqual([first, ...others]);
  } finally {
    await journal.close();
    execFileSync('umount', [disk]);
    rmSync(disk, { recursive: true });
  }
});

/** A disk of 1 MiB, where this user may mount one. */
function mountSmallDisk(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null;
  const directory = mkdtempSync(join(tmpdir(), 'meridian-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'ignore' });
    return directory;
  } catch {
    rmSync(directory, { recursive: true });
    return null;
  }
}

function fillDisk(file: string): void {
  try {
    writeFileSync(file, Buffer.alloc(2 ** 21));
  } catch {
    // That it does not fit is the point.
  }
}
