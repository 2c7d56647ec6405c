import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheSalts, openAccounts, parseApiKey, type Accounts, type KeyStore } from '../../src/accounts/index.ts';
import { newApiKey } from '../../src/accounts/api-key.ts';
import { noLog, type Clock } from '../../src/core/index.ts';

const PEPPER = Buffer.alloc(32, 7);
const START_MS = 1_760_000_000_000;

let root: string;
let nowMs: number;
let flush: () => void;
let accounts: Accounts;
let store: KeyStore;

const clock: Clock = {
  now: () => nowMs,
  wallMs: () => nowMs,
  after: () => () => {},
  every: (_periodMs, task) => {
    flush = task;
    return () => {};
  },
};

function open(pepper = PEPPER): KeyStore {
  accounts = openAccounts({ path: join(root, 'accounts.sqlite'), pepper, clock, log: noLog });
  return accounts.keys;
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'meridian-keys-'));
  nowMs = START_MS;
  store = open();
});
afterEach(() => {
  accounts.close();
  rmSync(root, { recursive: true });
});

test('a key has one form and width, and any single slip in it is found without the store', () => {
  fc.assert(
    fc.property(fc.constantFrom('live' as const, 'admin' as const), fc.nat(48), fc.constantFrom('0', 'a', 'Z', '9'), (kind, at, char) => {
      const key = newApiKey(kind);
      expect(key).toMatch(/^mk_(live|admin)_[0-9A-Za-z]{49}$/);
      expect(parseApiKey(key)).toEqual({ kind, secret: key });
      const start = key.lastIndexOf('_') + 1;
      const slipped = key.slice(0, start + at) + char + key.slice(start + at + 1);
      if (slipped !== key) expect(parseApiKey(slipped)).toBeNull();
    }),
  );
  for (const text of ['', 'mk_live_', 'sk-abc', `${newApiKey('live')}x`, newApiKey('live').replace('live', 'admin')]) expect(parseApiKey(text)).toBeNull();
});

test('a created key authenticates, also after a restart, and is stored nowhere', () => {
  const { record, secret } = store.create({ name: 'ci', regions: ['gcp-us-east4'] });
  expect(record).toMatchObject({
    kind: 'live', name: 'ci', organization: 'org_default', project: 'proj_default', regions: ['gcp-us-east4'], models: null,
    scopes: ['inference'], createdAtMs: START_MS, expiresAtMs: null, revokedAtMs: null, lastUsedAtMs: null,
  });
  expect(record.id).toMatch(/^key_[0-9A-Z]{26}$/);
  expect(store.authenticate(secret, nowMs)).toMatchObject({ kind: 'ok', key: { id: record.id } });
  accounts.close();
  expect(readFileSync(join(root, 'accounts.sqlite')).includes(secret.slice(8, 50))).toBe(false);
  store = open();
  expect(store.authenticate(secret, nowMs)).toMatchObject({ kind: 'ok', key: { id: record.id } });
});

test('strangers are told apart: malformed, unknown, expired, revoked', () => {
  const expiring = store.create({ name: 'a', expiresAtMs: START_MS + 10 });
  expect(store.authenticate('nonsense', nowMs).kind).toBe('malformed');
  expect(store.authenticate(newApiKey('live'), nowMs).kind).toBe('unknown');
  expect(store.authenticate(expiring.secret, START_MS + 9).kind).toBe('ok');
  expect(store.authenticate(expiring.secret, START_MS + 10).kind).toBe('expired');
});

test('a revoked key is refused at once though it was seen before, and its row stays', () => {
  const { record, secret } = store.create({ name: 'a', kind: 'admin' });
  expect(store.authenticate(secret, nowMs).kind).toBe('ok');
  nowMs += 5;
  expect(store.revoke(record.id)?.revokedAtMs).toBe(START_MS + 5);
  expect(store.authenticate(secret, nowMs).kind).toBe('revoked');
  nowMs += 5;
  expect(store.revoke(record.id)?.revokedAtMs).toBe(START_MS + 5);
  expect(store.get(record.id)).toMatchObject({ scopes: ['admin'], revokedAtMs: START_MS + 5 });
  expect(store.revoke('key_none')).toBeNull();
});

test('a revocation made behind the back of this process is seen within a second', () => {
  const { record, secret } = store.create({ name: 'a' });
  expect(store.authenticate(secret, nowMs).kind).toBe('ok');
  const other = new DatabaseSync(join(root, 'accounts.sqlite'));
  other.prepare('UPDATE keys SET revoked_at_ms = 1 WHERE id = ?').run(record.id);
  other.close();
  expect(store.authenticate(secret, nowMs + 999).kind).toBe('ok');
  expect(store.authenticate(secret, nowMs + 1_000).kind).toBe('revoked');
});

test('the time of last use is known at once and written from time to time', () => {
  const { record, secret } = store.create({ name: 'a' });
  const stored = () => {
    const other = new DatabaseSync(join(root, 'accounts.sqlite'), { readOnly: true });
    const row = other.prepare('SELECT last_used_at_ms FROM keys').get();
    other.close();
    return row?.['last_used_at_ms'];
  };
  store.authenticate(secret, START_MS + 7);
  expect(store.get(record.id)?.lastUsedAtMs).toBe(START_MS + 7);
  expect(stored()).toBeNull();
  flush();
  expect(stored()).toBe(START_MS + 7);
});

test('keys are listed in pages in the order they were made', () => {
  const ids = ['a', 'b', 'c'].map((name) => store.create({ name }).record.id);
  const first = store.list({ limit: 2 });
  expect(first.records.map((record) => record.id)).toEqual(ids.slice(0, 2));
  expect(first.hasMore).toBe(true);
  expect(store.list({ limit: 2, after: ids[1] })).toMatchObject({ records: [{ id: ids[2] }], hasMore: false });
  expect(() => store.list({ limit: 2, after: 'key_none' })).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'after' }));
  expect(() => store.list({ limit: 1_001 })).toThrow(expect.objectContaining({ code: 'invalid_value', param: 'limit' }));
});

test('keys are refused under another pepper', () => {
  expect(() => open(Buffer.alloc(32, 8))).toThrow(/other secrets/);
});

test('organizations have different cache salts, and one organization always the same', () => {
  const salt = cacheSalts(PEPPER);
  expect(salt('org_a')).toMatch(/^[0-9a-f]{64}$/);
  expect(salt('org_a')).toBe(cacheSalts(PEPPER)('org_a'));
  expect(salt('org_a')).not.toBe(salt('org_b'));
  expect(salt('org_a')).not.toBe(cacheSalts(Buffer.alloc(32, 8))('org_a'));
});
