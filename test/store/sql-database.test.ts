import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Generated, Kysely } from 'kysely';
import { onTestFinished, test, expect } from 'vitest';
import { openSqlDatabase } from '../../src/store/index.ts';

interface Tables {
  readonly notes: { readonly seq: Generated<number>; readonly text: string };
}

function open(path: string): Kysely<Tables> {
  return openSqlDatabase<Tables>(path, { migrations: ['CREATE TABLE notes (seq INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT'] });
}

function newFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-sql-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, 'notes.sqlite');
}

async function texts(db: Kysely<Tables>): Promise<string[]> {
  return (await db.selectFrom('notes').select('text').orderBy('seq').execute()).map(({ text }) => text);
}

test('what was written through Kysely is there when the file is opened again', async () => {
  const path = newFile();
  const first = open(path);
  const { insertId, numInsertedOrUpdatedRows } = await first.insertInto('notes').values([{ text: 'a' }, { text: 'b' }]).executeTakeFirstOrThrow();
  expect({ insertId, numInsertedOrUpdatedRows }).toEqual({ insertId: 2n, numInsertedOrUpdatedRows: 2n });
  await first.destroy();
  const second = open(path);
  onTestFinished(() => second.destroy());
  expect(await texts(second)).toEqual(['a', 'b']);
});

test('transactions begun at once do not mix: one that throws takes back its own only', async () => {
  const db = open(newFile());
  onTestFinished(() => db.destroy());
  const write = (text: string, fails: boolean): Promise<void> =>
    db.transaction().execute(async (within) => {
      await within.insertInto('notes').values({ text }).execute();
      await within.insertInto('notes').values({ text }).execute();
      if (fails) throw new Error(`${text} fails`);
    });
  const ends = await Promise.allSettled([write('a', false), write('b', true), write('c', false)]);
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await texts(db)).toEqual(['a', 'a', 'c', 'c']);
});
