import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openAccounts, SYSTEM, type Accounts } from '../../src/accounts/index.ts';
import { liesIn, noLog, NO_LIMITS } from '../../src/core/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

let root: string;
let clock: ManualClock;
let accounts: Accounts;

const path = (): string => join(root, 'accounts.sqlite');
const open = (): Accounts => openAccounts({ path: path(), pepper: Buffer.alloc(32, 7), clock, log: noLog });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'meridian-accounts-'));
  clock = new ManualClock();
  accounts = open();
});
afterEach(() => {
  accounts.close();
  rmSync(root, { recursive: true });
});

const authenticate = (secret: string) => accounts.keys.authenticate(secret, clock.wallMs());

describe('a rotated key', () => {
  test('is good for its time of grace, to the millisecond; the new one has all its rights and names it', () => {
    const limits = { ...NO_LIMITS, requestsPerMinute: 5 };
    const old = accounts.keys.create({ name: 'ci', models: ['m'], regions: ['r'], networks: ['10.0.0.0/8'], scopes: ['embeddings'], priorityMax: 'critical', limits });
    expect(authenticate(old.secret).kind).toBe('ok');
    const next = accounts.keys.rotate(old.record.id, 60_000);
    expect(next.record).toMatchObject({ name: 'ci', models: ['m'], regions: ['r'], networks: ['10.0.0.0/8'], scopes: ['embeddings'], priorityMax: 'critical', replaces: old.record.id, expiresAtMs: null });
    expect(next.record.limits.key).toEqual(limits);
    clock.advance(59_999);
    expect([authenticate(old.secret).kind, authenticate(next.secret).kind]).toEqual(['ok', 'ok']);
    clock.advance(1);
    expect([authenticate(old.secret).kind, authenticate(next.secret).kind]).toEqual(['expired', 'ok']);
    expect(() => accounts.keys.rotate(old.record.id, 1)).toThrow(/revoked or expired/);
  });

  test('that would expire sooner does', () => {
    const old = accounts.keys.create({ name: 'ci', expiresAtMs: clock.wallMs() + 10 });
    accounts.keys.rotate(old.record.id, 60_000);
    clock.advance(10);
    expect(authenticate(old.secret).kind).toBe('expired');
  });
});

describe('what is changed', () => {
  test('counts for the next request of a key that was just seen: limits, scopes, archived projects', () => {
    const project = accounts.tenants.createProject({ organization: 'org_default', name: 'p' }, SYSTEM).id;
    const { secret, record } = accounts.keys.create({ name: 'a', project });
    expect(authenticate(secret)).toMatchObject({ kind: 'ok', key: { limits: { project: NO_LIMITS } } });
    const limits = { requestsPerMinute: 1, tokensPerMinute: 2, concurrentRequests: 3 };
    accounts.tenants.updateProject(project, { limits }, SYSTEM);
    accounts.tenants.limitModel(project, 'm', limits, SYSTEM);
    accounts.tenants.updateOrganization('org_default', { limits }, SYSTEM);
    accounts.keys.update(record.id, { scopes: ['embeddings'], limits });
    expect(authenticate(secret)).toMatchObject({ kind: 'ok', key: { scopes: ['embeddings'], limits: { key: limits, project: limits, organization: limits, projectModels: new Map([['m', limits]]) } } });
    accounts.tenants.archiveProject(project, SYSTEM);
    expect(authenticate(secret).kind).toBe('archived');
    accounts.close();
    accounts = open();
    expect(accounts.tenants.organization('org_default')?.limits).toEqual(limits);
  });

  test('a project is of one organization: a key of another cannot be in it', () => {
    accounts.keys.create({ name: 'a', organization: 'org_a', project: 'proj_a' });
    expect(() => accounts.keys.create({ name: 'b', organization: 'org_b', project: 'proj_a' })).toThrow(/not one of org_b/);
    expect(accounts.tenants.organization('org_b')).toBeNull();
    expect(accounts.keys.create({ name: 'c', organization: 'org_b' }).record.project).toBe('proj_default-org_b');
  });

  test.each(['10.0.0.0/33', '10.0.0', '2001:db8::/129', 'example.com', '10.0.0.0/x', ''])('%j is no network, and no key is made with it', (network) => {
    expect(() => accounts.keys.create({ name: 'a', networks: ['10.0.0.0/8', network] })).toThrow(/networks\[1\]/);
    expect(accounts.keys.list({ limit: 10 }).records).toEqual([]);
  });
});

test.each([
  [['10.0.0.0/8'], '10.1.2.3', true],
  [['10.0.0.0/8'], '::ffff:10.1.2.3', true],
  [['10.0.0.0/8'], '11.0.0.1', false],
  [['192.168.1.7'], '192.168.1.7', true],
  [['192.168.1.7'], '192.168.1.8', false],
  [['2001:db8::/32', '10.0.0.0/8'], '2001:db8:1::1', true],
  [['2001:db8::/32'], '2001:db9::1', false],
  [['0.0.0.0/0'], '2001:db8::1', false],
  [['0.0.0.0/0'], '', false],
])('%j and the address %s: %s', (networks, address, lies) => expect(liesIn(networks, address)).toBe(lies));

describe('the audit log', () => {
  function filled(): void {
    for (let i = 0; i < 8; i += 1) accounts.tenants.createProject({ organization: 'org_default', name: `p${i}` }, { kind: 'admin_key', keyId: `key_${i % 2}`, address: '10.0.0.1' });
    accounts.close();
  }

  /** Does `damage` behind the log's back; what it says then. */
  function faultAfter(damage: (db: DatabaseSync) => void): string | null {
    const db = new DatabaseSync(path());
    for (const name of ['audit_events_are_never_updated', 'audit_events_are_never_deleted']) db.exec(`DROP TRIGGER IF EXISTS ${name}`);
    db.exec('BEGIN');
    damage(db);
    db.exec('COMMIT');
    db.close();
    accounts = open();
    return accounts.audit.verify().fault;
  }

  beforeEach(() => {
    accounts.keys.create({ name: 'first' });
    filled();
  });

  test('is whole when nobody touched it, also after a restart and more acts', () => {
    expect(faultAfter(() => {})).toBeNull();
    accounts.keys.create({ name: 'more' });
    expect(accounts.audit.verify()).toEqual({ count: 10, fault: null });
  });

  test.each([
    ['a row is taken out', 'DELETE FROM audit_events WHERE seq = 4', 'event 4 is missing'],
    ['its end is cut off', 'DELETE FROM audit_events WHERE seq > 7', 'events after it were cut off'],
    ['all of it is gone', 'DELETE FROM audit_events', 'events after it were cut off'],
    ['two rows change places', 'UPDATE audit_events SET seq = CASE seq WHEN 4 THEN -5 WHEN 5 THEN -4 END WHERE seq IN (4, 5); UPDATE audit_events SET seq = -seq WHERE seq < 0', 'event 4 ('],
    ['a row is put in', "INSERT INTO audit_events SELECT 10, 'copy', at_ms, type, actor, actor_key, organization, project, resource, detail, hash FROM audit_events WHERE seq = 9", 'event 10 ('],
    ['its seal is gone', 'DELETE FROM audit_head', 'cut off'],
  ])('shows it when %s', (_what, damage, fault) => expect(faultAfter((db) => db.exec(damage))).toContain(fault));

  test('shows any flipped bit', () => {
    const before = new DatabaseSync(path());
    for (const name of ['audit_events_are_never_updated', 'audit_events_are_never_deleted']) before.exec(`DROP TRIGGER ${name}`);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.constantFrom('id', 'at_ms', 'type', 'actor', 'organization', 'project', 'resource', 'detail', 'hash'), fc.nat(), fc.integer({ min: 0, max: 6 }), (seq, column, at, bit) => {
        const value = before.prepare(`SELECT ${column} AS value FROM audit_events WHERE seq = ?`).get(seq)?.['value'];
        if (value === null || value === undefined) return;
        const bytes = Buffer.from(String(value));
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
        const flipped = column === 'at_ms' ? Number(value) ^ (1 << bit) : bytes.toString('latin1');
        before.prepare(`UPDATE audit_events SET ${column} = ? WHERE seq = ?`).run(flipped, seq);
        const opened = open();
        // A flip may make the JSON unreadable, but never pass.
        expect(opened.audit.verify().fault).toContain(`event ${seq}`);
        opened.close();
        before.prepare(`UPDATE audit_events SET ${column} = ? WHERE seq = ?`).run(value, seq);
      }),
      { numRuns: 60 },
    );
    before.close();
    accounts = open();
    expect(accounts.audit.verify().fault).toBeNull();
  });

  test('is asked by type, project, actor, time and place', () => {
    accounts = open();
    const { audit } = accounts;
    const newest = audit.list({ limit: 3 });
    expect(newest.map(({ detail }) => detail['name'])).toEqual(['p7', 'p6', 'p5']);
    expect(audit.list({ limit: 2, after: newest[0]?.id ?? '' }).map(({ detail }) => detail['name'])).toEqual(['p6', 'p5']);
    expect(audit.list({ limit: 9, before: newest[1]?.id ?? '' }).map(({ detail }) => detail['name'])).toEqual(['p7']);
    expect(audit.list({ limit: 99, actors: ['key_1'] })).toHaveLength(4);
    expect(audit.list({ limit: 99, types: ['api_key.created'] })).toHaveLength(1);
    expect(audit.list({ limit: 99, organization: 'org_none' })).toEqual([]);
    expect(audit.list({ limit: 99, toMs: clock.wallMs() })).toEqual([]);
    expect(() => audit.list({ limit: 1, after: 'nothing' })).toThrow(/no audit event/);
  });
});
