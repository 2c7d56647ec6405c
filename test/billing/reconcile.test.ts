import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { chargeOf, chargeTotal, openJournal, openLedger, type NewlyBooked, type UsageRecord } from '../../src/billing/index.ts';
import { attemptId, noLog, systemClock } from '../../src/core/index.ts';
import { newRequestId, recordOf, usageOf } from './records.ts';

const DAY = '2025-10-09';

/** A journal with `records` in it, and the ledger beside it. */
async function books(...records: UsageRecord[]) {
  const booked: NewlyBooked[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'meridian-reconcile-'));
  const journalPath = join(directory, 'journal.sqlite');
  const journal = await openJournal({ path: journalPath, groupCommitMs: 1, streamGroupCommitMs: 1, clock: systemClock, log: noLog });
  const ledger = await openLedger({ database: { kind: 'sqlite', path: join(directory, 'ledger.sqlite') }, journalPath, source: 'j', sealKey: Buffer.alloc(32), onBooked: (one) => booked.push(one) });
  onTestFinished(async () => {
    await ledger.close();
    await journal.close();
    rmSync(directory, { recursive: true });
  });
  for (const record of records) await journal.settle(record);
  return { journal, ledger, booked };
}

function changed(record: UsageRecord, change: Partial<UsageRecord>, attempt: Partial<UsageRecord['attempts'][number]> = {}): UsageRecord {
  return { ...record, ...change, attempts: record.attempts.map((one) => ({ ...one, ...attempt })) };
}

test('a day whose counts agree has no differences, and its margin is nothing', async () => {
  const record = recordOf(newRequestId(), 20);
  const { ledger } = await books(record);
  const found = await ledger.reconcile(DAY, false, 0);
  const value = chargeTotal(chargeOf(record.usage, record.price));
  expect(found).toEqual({ day: DAY, requests: 1, differences: [], corrections: [], replicas: [{ replica: 'node-1/0', attempts: 1, charged: 1, promptTokens: 100, completionTokens: 20, made: value, earned: value }] });
  expect((await ledger.reconcile('2025-10-08', false, 0)).requests).toBe(0);
});

test('what a retry made is cost without earning', async () => {
  const record = recordOf(newRequestId(), 20);
  const lost = { ...record.attempts[0], id: attemptId(record.requestId, 1), replica: 'node-2/0', outcome: 'failed' as const, usage: usageOf(100, 5), counted: null } as UsageRecord['attempts'][number];
  const { ledger } = await books({ ...record, attempts: [lost, ...record.attempts] });
  const { replicas } = await ledger.reconcile(DAY, false, 0);
  expect(replicas.map(({ replica, charged, earned, made }) => [replica, charged, earned > 0n, made > 0n])).toEqual([
    ['node-1/0', 1, true, true],
    ['node-2/0', 0, false, true],
  ]);
});

test('two counts that differ are told, and an exact one is left as it is', async () => {
  const record = changed(recordOf(newRequestId(), 20), {}, { counted: usageOf(100, 19) });
  const { ledger } = await books(record);
  const { differences, corrections } = await ledger.reconcile(DAY, true, 0);
  expect(differences).toEqual([{ request: record.requestId, attempt: record.attempts[0]?.id, replica: 'node-1/0', source: 'engine', recorded: record.usage, node: usageOf(100, 19) }]);
  expect(corrections).toEqual([]);
});

test('an estimate is put right by its node, once, and only when that is wanted', async () => {
  const estimate = changed(recordOf(newRequestId(), 20), { outcome: 'aborted', estimated: true, source: 'gateway' }, { source: 'gateway', counted: usageOf(104, 23) });
  const { journal, ledger, booked } = await books(estimate, recordOf(newRequestId(), 7));
  const difference = { promptTokens: 4, cachedTokens: 2, completionTokens: 3, reasoningTokens: 0 };
  const { corrections } = await ledger.reconcile(DAY, false, 0);
  expect(corrections).toMatchObject([{ id: estimate.attempts[0]?.id, kind: 'correction', usage: difference }]);
  const before = (await ledger.balance('org_default')).unbilled;
  expect((await ledger.reconcile(DAY, true, 0)).corrections).toHaveLength(1);
  const after = (await ledger.balance('org_default')).unbilled;
  expect(after - before).toBe(chargeTotal(chargeOf(difference, estimate.price)));
  expect((await ledger.reconcile(DAY, true, 0)).corrections).toEqual([]);
  expect((await ledger.balance('org_default')).unbilled).toBe(after);
  expect(await ledger.faults()).toEqual([]);
  // Whoever keeps what may be spent is told of it, once; a count that comes later is the same correction.
  await journal.lateSettlement({ attemptId: attemptId(estimate.requestId, 0), outcome: 'aborted', usage: usageOf(104, 23) });
  await ledger.ship(0);
  expect(booked.flatMap(({ corrections: told }) => told.map(({ usage }) => usage))).toEqual([difference]);
  expect((await ledger.balance('org_default')).unbilled).toBe(after);
});

test('an estimate that its node has put right already is left alone', async () => {
  const estimate = changed(recordOf(newRequestId(), 20), { outcome: 'aborted', estimated: true, source: 'gateway' }, { source: 'gateway', counted: usageOf(104, 23) });
  const { journal, ledger } = await books(estimate);
  await journal.lateSettlement({ attemptId: attemptId(estimate.requestId, 0), outcome: 'aborted', usage: usageOf(106, 25) });
  expect(await ledger.ship(0)).toBe(2);
  expect((await ledger.reconcile(DAY, true, 0)).corrections).toEqual([]);
});

test.each(['2025-13-01', 'yesterday', '2025-10-9'])('%j is no day', async (day) => {
  const { ledger } = await books();
  await expect(ledger.reconcile(day, false, 0)).rejects.toMatchObject({ code: 'invalid_value', param: 'day' });
});
