import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDataDirectory, openDatabase } from '../../src/store/index.ts';

let parent: string;
let directory: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'meridian-store-'));
  directory = join(parent, 'data');
});
afterEach(() => rmSync(parent, { recursive: true }));

test('a new data directory belongs to its owner alone, and its secrets stay the same', () => {
  const first = openDataDirectory(directory);
  const pepper = first.secrets.keyPepper.toString('hex');
  expect(first.secrets.keyPepper).toHaveLength(32);
  expect(first.secrets.cacheSaltSecret.equals(first.secrets.keyPepper)).toBe(false);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(first.path('secrets.json')).mode & 0o777).toBe(0o600);
  first.close();

  const second = openDataDirectory(directory);
  expect(second.secrets.keyPepper.toString('hex')).toBe(pepper);
  second.close();
});

test('a second opening of the same directory fails at once and names it', () => {
  const first = openDataDirectory(directory);
  expect(() => openDataDirectory(directory)).toThrow(expect.objectContaining({ code: 'conflict', message: expect.stringContaining(directory) }));
  first.close();
  openDataDirectory(directory).close();
});

test('a second process is refused while the first lives, and let in once it was killed', async () => {
  const url = new URL('../../src/store/index.ts', import.meta.url).href;
  const script = `const { openDataDirectory } = await import('${url}'); openDataDirectory(${JSON.stringify(directory)}); console.log('open'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    expect(() => openDataDirectory(directory)).toThrow(/in use by another Meridian process/);
  } finally {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  openDataDirectory(directory).close();
});

test('damaged secrets are refused, never replaced', () => {
  openDataDirectory(directory).close();
  const file = join(directory, 'secrets.json');
  writeFileSync(file, '{"keyPepper":"00"}');
  expect(() => openDataDirectory(directory)).toThrow(/damaged/);
  expect(readFileSync(file, 'utf8')).toBe('{"keyPepper":"00"}');
});

test('a database goes forward through its migrations and keeps its rows', () => {
  const path = join(parent, 'a.sqlite');
  const one = 'CREATE TABLE a (x INTEGER)';
  const first = openDatabase(path, { migrations: [one] });
  first.exec('INSERT INTO a VALUES (1)');
  first.close();

  const second = openDatabase(path, { migrations: [one, 'ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 2'] });
  expect(second.prepare('SELECT x, y FROM a').all()).toEqual([{ x: 1, y: 2 }]);
  expect(second.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 3 });
  expect(second.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
  second.close();

  expect(() => openDatabase(path, { migrations: [one] })).toThrow(/schema version 2, but this Meridian knows only up to 1/);
});

test('a migration that fails leaves the database as it was', () => {
  const path = join(parent, 'a.sqlite');
  expect(() => openDatabase(path, { migrations: ['CREATE TABLE a (x INTEGER); CREATE TABLE a (x INTEGER)'] })).toThrow(/already exists/);
  const db = openDatabase(path, { migrations: ['CREATE TABLE a (x INTEGER)'] });
  expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 });
  db.close();
});
