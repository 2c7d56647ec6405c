import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { openAccounts, type Accounts } from '../../src/accounts/index.ts';
import { noLog } from '../../src/core/index.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { accountsSuite } from './accounts-suite.ts';

let root: string;
let clock: ManualClock;

const path = (): string => join(root, 'accounts.sqlite');
const open = (pepper = 7): Promise<Accounts> => openAccounts({ at: { kind: 'sqlite', path: path() }, pepper: Buffer.alloc(32, pepper), clock, log: noLog });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'meridian-accounts-'));
  clock = new ManualClock();
});
afterEach(() => rmSync(root, { recursive: true }));

accountsSuite('SQLite', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-accounts-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return { open: (own) => openAccounts({ at: { kind: 'sqlite', path: join(directory, 'accounts.sqlite') }, pepper: Buffer.alloc(32, 7), clock: own, log: noLog }) };
});

test('a key is stored nowhere, and the file is refused under another pepper', async () => {
  const accounts = await open();
  const { secret } = await accounts.keys.create({ name: 'ci' });
  await accounts.close();
  expect(readFileSync(path()).includes(secret.slice(8, 50))).toBe(false);
  await expect(open(8)).rejects.toThrow(/other secrets than those of this data directory/);
});

test('a revocation made behind the back of this process is seen within a second', async () => {
  const accounts = await open();
  onTestFinished(() => accounts.close());
  const { record, secret } = await accounts.keys.create({ name: 'a' });
  await accounts.keys.authenticate(secret, clock.wallMs());
  const other = new DatabaseSync(path());
  other.prepare('UPDATE keys SET revoked_at_ms = 1 WHERE id = ?').run(record.id);
  other.close();
  clock.advance(999);
  expect(accounts.keys.authenticate(secret, clock.wallMs())).toMatchObject({ kind: 'ok' });
  clock.advance(1);
  expect(await accounts.keys.authenticate(secret, clock.wallMs())).toEqual({ kind: 'revoked' });
});

describe('the audit log', () => {
  async function filled(): Promise<void> {
    const accounts = await open();
    await accounts.keys.create({ name: 'first' });
    for (let i = 0; i < 8; i += 1) await accounts.tenants.createProject({ organization: 'org_default', name: `p${i}` }, { kind: 'admin_key', keyId: `key_${i % 2}`, address: '10.0.0.1' });
    await accounts.close();
  }

  /** Does `damage` behind the log's back; what it says then. */
  async function faultAfter(damage: (db: DatabaseSync) => void): Promise<string | null> {
    const db = new DatabaseSync(path());
    for (const name of ['audit_events_are_never_updated', 'audit_events_are_never_deleted']) db.exec(`DROP TRIGGER IF EXISTS ${name}`);
    db.exec('BEGIN');
    damage(db);
    db.exec('COMMIT');
    db.close();
    const accounts = await open();
    const { fault } = await accounts.audit.verify();
    await accounts.close();
    return fault;
  }

  beforeEach(filled);

  test('is whole when nobody touched it, also after a restart and more acts', async () => {
    expect(await faultAfter(() => {})).toBeNull();
    const accounts = await open();
    onTestFinished(() => accounts.close());
    await accounts.keys.create({ name: 'more' });
    expect(await accounts.audit.verify()).toEqual({ count: 10, fault: null });
  });

  test.each([
    ['a row is taken out', 'DELETE FROM audit_events WHERE seq = 4', 'event 4 is missing'],
    ['its end is cut off', 'DELETE FROM audit_events WHERE seq > 7', 'events after it were cut off'],
    ['all of it is gone', 'DELETE FROM audit_events', 'events after it were cut off'],
    ['two rows change places', 'UPDATE audit_events SET seq = CASE seq WHEN 4 THEN -5 WHEN 5 THEN -4 END WHERE seq IN (4, 5); UPDATE audit_events SET seq = -seq WHERE seq < 0', 'event 4 ('],
    ['a row is put in', "INSERT INTO audit_events SELECT 10, 'copy', at_ms, type, actor, actor_key, organization, project, resource, detail, hash FROM audit_events WHERE seq = 9", 'event 10 ('],
    ['its seal is gone', 'DELETE FROM audit_head', 'cut off'],
  ])('shows it when %s', async (_what, damage, fault) => expect(await faultAfter((db) => db.exec(damage))).toContain(fault));

  test('shows any flipped bit', async () => {
    const before = new DatabaseSync(path());
    for (const name of ['audit_events_are_never_updated', 'audit_events_are_never_deleted']) before.exec(`DROP TRIGGER IF EXISTS ${name}`);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.constantFrom('id', 'at_ms', 'type', 'actor', 'organization', 'project', 'resource', 'detail', 'hash'), fc.nat(), fc.integer({ min: 0, max: 6 }), async (seq, column, at, bit) => {
        const value = before.prepare(`SELECT ${column} AS value FROM audit_events WHERE seq = ?`).get(seq)?.['value'];
        if (value === null || value === undefined) return;
        const bytes = Buffer.from(String(value));
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
        const flipped = column === 'at_ms' ? Number(value) ^ (1 << bit) : bytes.toString('latin1');
        before.prepare(`UPDATE audit_events SET ${column} = ? WHERE seq = ?`).run(flipped, seq);
        const opened = await open();
        // A flip may make the JSON unreadable, but never pass.
        expect((await opened.audit.verify()).fault).toContain(`event ${seq}`);
        await opened.close();
        before.prepare(`UPDATE audit_events SET ${column} = ? WHERE seq = ?`).run(value, seq);
      }),
      { numRuns: 60 },
    );
    before.close();
    expect(await faultAfter(() => {})).toBeNull();
  });
});
