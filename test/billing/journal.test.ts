import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { attemptId, noLog, type Logger } from '../../src/core/index.ts';
import { JournalDirectory } from './journal-directory.ts';
import { checkpointOf, newRequestId, openOf, recordOf, recordsOf, usageOf } from './records.ts';

let directory: JournalDirectory;

beforeEach(() => {
  directory = new JournalDirectory();
});
afterEach(() => directory.remove());

test('a settled record is found as it was given, also after the journal was closed and opened', async () => {
  const first = await directory.openJournal();
  const record = recordOf(newRequestId());
  first.open(openOf(record.requestId));
  await first.settle(record);
  expect(await first.find(record.requestId)).toEqual({ record, adjustments: [] });
  await first.close();

  const second = await directory.openJournal();
  expect(await second.find(record.requestId)).toEqual({ record, adjustments: [] });
  expect(await second.find(newRequestId())).toBeNull();
});

test('records that wait together share commits, and each is written once', async () => {
  const journal = await directory.openJournal();
  const records = Array.from({ length: 200 }, () => recordOf(newRequestId()));
  await Promise.all(records.map((record) => journal.settle(record)));
  const { entries, hasMore } = await journal.list({ limit: 1_000 });
  expect(entries.map((entry) => entry.record)).toEqual(records);
  expect(hasMore).toBe(false);
  expect(await journal.totals()).toMatchObject({ requests: 200, promptTokens: 20_000, cachedTokens: 10_000, completionTokens: 4_000 });
});

test('a list goes on behind any record, and can be of one key', async () => {
  const journal = await directory.openJournal();
  const records = Array.from({ length: 10 }, (_, i) => recordOf(newRequestId(), i, i % 2 === 0 ? 'key_a' : 'key_b'));
  for (const record of records) await journal.settle(record);

  const after = records[2]?.requestId;
  const page = await journal.list({ after, limit: 3 });
  expect(page.entries.map((entry) => entry.record.usage.completionTokens)).toEqual([3, 4, 5]);
  expect(page.hasMore).toBe(true);
  const ofKey = await journal.list({ after, limit: 4, keyId: 'key_b' });
  expect(ofKey.entries.map((entry) => entry.record.usage.completionTokens)).toEqual([3, 5, 7, 9]);
  expect(ofKey.hasMore).toBe(false);
  const newest = await journal.list({ after, limit: 3, order: 'desc' });
  expect(newest.entries.map((entry) => entry.record.usage.completionTokens)).toEqual([1, 0]);
  await expect(journal.list({ after: 'req_none', limit: 1 })).rejects.toMatchObject({ code: 'invalid_value', param: 'after' });
  await expect(journal.list({ limit: 0 })).rejects.toMatchObject({ code: 'invalid_value', param: 'limit' });
});

test('row 34: the same record again changes nothing; another one is refused, logged and kept out', async () => {
  const error = vi.fn<Logger['error']>();
  const journal = await directory.openJournal({ log: { ...noLog, error } });
  const record = recordOf(newRequestId());
  await journal.settle(record);
  await journal.settle(structuredClone(record));
  expect(error).not.toHaveBeenCalled();

  await expect(journal.settle(recordOf(record.requestId, 21))).rejects.toMatchObject({ code: 'conflict' });
  expect(error).toHaveBeenCalledWith({ requestId: record.requestId }, expect.any(String));
  expect((await journal.find(record.requestId))?.record).toEqual(record);
  expect(await journal.totals()).toMatchObject({ requests: 1, completionTokens: 20 });
});

test('what was open when the process ended is settled by its last checkpoint, as interrupted and estimated', async () => {
  const first = await directory.openJournal();
  const [seen, unseen, done] = [newRequestId(), newRequestId(), newRequestId()];
  for (const id of [seen, unseen, done]) first.open(openOf(id));
  first.checkpoint([checkpointOf(seen, 5)]);
  await first.flush();
  first.checkpoint([checkpointOf(seen, 9), checkpointOf(done, 3)]);
  await first.settle(recordOf(done));
  await first.close();

  const second = await directory.openJournal();
  const record = (await second.find(seen))?.record;
  expect(record).toMatchObject({ outcome: 'interrupted', estimated: true, source: 'gateway', usage: usageOf(100, 9), durationMs: 500, ttftMs: 40 });
  expect(record?.attempts).toMatchObject([{ id: attemptId(seen, 0), outcome: 'interrupted', source: 'gateway', usage: usageOf(100, 9) }]);
  expect((await second.find(unseen))?.record).toMatchObject({ outcome: 'interrupted', usage: usageOf(0, 0), attempts: [{ usage: null, source: 'none' }] });
  expect((await second.find(done))?.record).toEqual(recordOf(done));
  expect(await second.totals()).toMatchObject({ requests: 3, completionTokens: 29 });
  await second.close();

  const third = await directory.openJournal();
  expect(await third.totals()).toMatchObject({ requests: 3, completionTokens: 29 });
});

test('a late settlement stands beside the interrupted record, once', async () => {
  const first = await directory.openJournal();
  const id = newRequestId();
  first.open(openOf(id));
  await first.close();

  const second = await directory.openJournal();
  const late = { attemptId: attemptId(id, 0), outcome: 'aborted', usage: usageOf(100, 33) } as const;
  await second.lateSettlement(late);
  await second.lateSettlement(late);
  await second.flush();
  await second.lateSettlement({ ...late, usage: usageOf(100, 34) });
  await second.flush();
  const entry = await second.find(id);
  expect(entry?.record).toMatchObject({ outcome: 'interrupted', usage: usageOf(0, 0) });
  expect(entry?.adjustments).toEqual([{ ...late, recordedAtMs: expect.any(Number) }]);
  expect(await second.totals()).toMatchObject({ requests: 1, adjustments: 1 });
});

test('a late settlement that says what the record says adds nothing; one of an unknown request is reported', async () => {
  const warn = vi.fn<Logger['error']>();
  const journal = await directory.openJournal({ log: { ...noLog, warn } });
  const record = recordOf(newRequestId());
  await journal.settle(record);
  const stranger = attemptId(newRequestId(), 0);
  await journal.lateSettlement({ attemptId: attemptId(record.requestId, 0), outcome: 'completed', usage: record.usage });
  await journal.lateSettlement({ attemptId: stranger, outcome: 'completed', usage: record.usage });
  await journal.flush();
  expect((await journal.find(record.requestId))?.adjustments).toEqual([]);
  expect(warn).toHaveBeenCalledWith({ attempts: [stranger] }, expect.any(String));
});

test('while the file cannot be written every waiter hears of it, and all is written once it can be', async () => {
  const journal = await directory.openJournal({ retryMs: 5 });
  const records = recordsOf(0, 1, 2, 3);
  const [before, first, second, third] = records;
  await journal.settle(before);
  const other = new DatabaseSync(directory.path);
  other.exec('BEGIN IMMEDIATE');

  journal.open(openOf(first.requestId));
  await expect(journal.settle(first)).rejects.toMatchObject({ code: 'overloaded' });
  expect(journal.healthy).toBe(false);
  await expect(journal.settle(second)).rejects.toMatchObject({ code: 'overloaded' });
  await expect(journal.settle(third)).rejects.toMatchObject({ code: 'overloaded' });
  await expect(journal.flush()).rejects.toMatchObject({ code: 'overloaded' });
  expect(await journal.totals()).toMatchObject({ requests: 1 });

  other.exec('ROLLBACK');
  other.close();
  await vi.waitUntil(() => journal.healthy);
  await journal.flush();
  const { entries } = await journal.list({ limit: 10 });
  expect(entries.map((entry) => entry.record)).toEqual(records);
});

test('a queue that is half full makes the journal unhealthy, and a full one refuses and logs the record', async () => {
  const error = vi.fn<Logger['error']>();
  const journal = await directory.openJournal({ maxQueued: 4, log: { ...noLog, error } });
  const settled = Array.from({ length: 4 }, () => journal.settle(recordOf(newRequestId())));
  expect(journal.healthy).toBe(false);
  const refused = recordOf(newRequestId());
  await expect(journal.settle(refused)).rejects.toMatchObject({ code: 'overloaded' });
  expect(error).toHaveBeenCalledWith({ content: refused }, expect.any(String));
  await Promise.all(settled);
  expect(journal.healthy).toBe(true);
});

test('the journal refuses to change or remove an event', async () => {
  const journal = await directory.openJournal();
  await journal.settle(recordOf(newRequestId()));
  await journal.close();
  const db = new DatabaseSync(directory.path);
  expect(() => db.exec("UPDATE events SET body = '{}'")).toThrow(/append-only/);
  expect(() => db.exec('DELETE FROM events')).toThrow(/append-only/);
  db.close();
});

test('a journal that cannot be opened says which and why; a closed one answers no more', async () => {
  await expect(directory.openJournal({ path: '/nowhere/journal.sqlite' })).rejects.toThrow(/\/nowhere\/journal\.sqlite cannot be opened: /);
  const journal = await directory.openJournal();
  await journal.close();
  await expect(journal.settle(recordOf(newRequestId()))).rejects.toMatchObject({ code: 'overloaded' });
  await expect(journal.totals()).rejects.toMatchObject({ code: 'overloaded' });
  await journal.close();
});
