import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JournalStore } from '../../src/billing/journal/journal-store.ts';
import { JournalWriter } from '../../src/billing/journal/journal-writer.ts';
import { attemptId, endOfTurn, noLog, systemClock } from '../../src/core/index.ts';
import { checkpointOf, newRequestId, openOf, recordOf } from './records.ts';

const REQUESTS = 5;
const step = fc.record({
  request: fc.nat(REQUESTS - 1),
  act: fc.constantFrom('open', 'checkpoint', 'settle', 'late', 'flush', 'turn'),
});
const run = fc.record({
  steps: fc.array(step, { maxLength: 40 }),
  /** Whether the n-th commit fails; later ones do not. */
  refusals: fc.array(fc.boolean(), { maxLength: 4 }),
  groupCommitMs: fc.constantFrom(0, 1, 1_000),
});

test('in any order of events and failing commits, what was settled or opened has exactly one record after a restart', async () => {
  await fc.assert(fc.asyncProperty(run, checkRun), { numRuns: 60 });
});

async function checkRun({ steps, refusals, groupCommitMs }: { steps: { request: number; act: string }[]; refusals: boolean[]; groupCommitMs: number }) {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-order-'));
  try {
    const path = join(directory, 'journal.sqlite');
    const expected = await play(path, steps, refusals, groupCommitMs);
    const store = new JournalStore(path);
    store.settleInterrupted();
    const entries = store.list({ limit: 100 })?.entries ?? [];
    const totals = store.totals();
    store.close();

    expect(entries).toHaveLength(expected.size);
    expect(new Map(entries.map(({ record }) => [record.requestId, record.outcome]))).toEqual(expected);
    expect(totals).toMatchObject({
      requests: expected.size,
      adjustments: entries.reduce((count, { adjustments }) => count + adjustments.length, 0),
      completionTokens: entries.reduce((tokens, { record }) => tokens + record.usage.completionTokens, 0),
    });
    for (const { adjustments } of entries) expect(adjustments.length).toBeLessThanOrEqual(1);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Plays `steps` on a writer whose store answers in later turns; returns what each request should have come to. */
async function play(path: string, steps: { request: number; act: string }[], refusals: boolean[], groupCommitMs: number) {
  const ids = Array.from({ length: REQUESTS }, newRequestId);
  const expected = new Map<string, 'completed' | 'interrupted'>();
  const store = new JournalStore(path);
  const writer = new JournalWriter({
    groupCommitMs,
    streamGroupCommitMs: groupCommitMs,
    maxQueued: 1_000,
    retryMs: 1,
    clock: systemClock,
    log: noLog,
    send: (batch) => endOfTurn(() => (refusals.shift() ? writer.refused('no room') : writer.written(store.write(batch)))),
  });
  const waits: Promise<void>[] = [];
  for (const { request, act } of steps) {
    const id = ids[request] ?? '';
    if (act === 'turn') await new Promise<void>((resolve) => endOfTurn(resolve));
    if (act === 'flush') waits.push(writer.flush());
    if (act === 'checkpoint') writer.checkpoint(checkpointOf(id, 7));
    if (act === 'late') writer.adjust({ attemptId: attemptId(id, 0), outcome: 'completed', usage: recordOf(id, 21).usage, recordedAtMs: 1 }).catch(() => {});
    if (act === 'open' && !expected.has(id)) expected.set(id, 'interrupted');
    if (act === 'open') writer.open(openOf(id));
    if (act === 'settle') expected.set(id, 'completed');
    if (act === 'settle') waits.push(writer.settle(recordOf(id)));
    for (const wait of waits) wait.catch(() => {});
  }
  while ((await Promise.allSettled([writer.flush()]))[0]?.status === 'rejected') refusals.length = 0;
  writer.end('the test is over');
  store.close();
  return expected;
}
