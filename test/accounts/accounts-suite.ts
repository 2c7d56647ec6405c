import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { SYSTEM, type Accounts } from '../../src/accounts/index.ts';
import { NO_LIMITS } from '../../src/core/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Accounts in a place of their own; again in the same one, as after a restart. */
export interface AccountsPlace {
  open(clock: ManualClock): Promise<Accounts>;
}

/** What accounts must do, whatever they are kept in. */
export function accountsSuite(name: string, newPlace: () => Promise<AccountsPlace>): void {
  describe(`accounts in ${name}`, () => {
    let place: AccountsPlace;
    let clock: ManualClock;
    let accounts: Accounts;
    beforeEach(async () => {
      place = await newPlace();
      clock = new ManualClock();
      accounts = await opened();
    });

    async function opened(): Promise<Accounts> {
      const made = await place.open(clock);
      onTestFinished(() => made.close());
      return made;
    }

    const authenticate = async (secret: string) => accounts.keys.authenticate(secret, clock.wallMs());
    const kindOf = async (secret: string): Promise<string> => (await authenticate(secret)).kind;

    test('a key is known, also after a restart, and strangers are not', async () => {
      const { record, secret } = await accounts.keys.create({ name: 'ci', regions: ['gcp-us-east4'] });
      expect(record).toMatchObject({ kind: 'live', name: 'ci', organization: 'org_default', project: 'proj_default', regions: ['gcp-us-east4'], models: null, scopes: ['inference'], expiresAtMs: null });
      expect(await authenticate(secret)).toMatchObject({ kind: 'ok', key: { id: record.id } });
      expect(await kindOf('nonsense')).toBe('malformed');
      accounts = await opened();
      expect(await authenticate(secret)).toMatchObject({ kind: 'ok', key: { id: record.id, createdAtMs: clock.wallMs() } });
    });

    test('a key that was just seen is known without a look', async () => {
      const { secret } = await accounts.keys.create({ name: 'ci' });
      await authenticate(secret);
      expect(accounts.keys.authenticate(secret, clock.wallMs())).toMatchObject({ kind: 'ok' });
    });

    test('many requests with a new key at once make one look-up, and all are let in', async () => {
      const { secret } = await accounts.keys.create({ name: 'ci' });
      const answers = Array.from({ length: 20 }, () => accounts.keys.authenticate(secret, clock.wallMs()));
      expect(new Set(answers).size).toBe(1);
      expect(await Promise.all(answers.map((answer) => Promise.resolve(answer)))).toEqual(Array.from({ length: 20 }, () => expect.objectContaining({ kind: 'ok' }) as object));
    });

    test('a revoked key is refused at once though it was seen before, and its row stays', async () => {
      const { record, secret } = await accounts.keys.create({ name: 'a', kind: 'admin' });
      expect(await kindOf(secret)).toBe('ok');
      const revoked = await accounts.keys.revoke(record.id);
      expect(revoked?.revokedAtMs).toBe(clock.wallMs());
      expect(await kindOf(secret)).toBe('revoked');
      clock.advance(5);
      expect((await accounts.keys.revoke(record.id))?.revokedAtMs).toBe(revoked?.revokedAtMs);
      expect(await accounts.keys.get(record.id)).toMatchObject({ scopes: ['admin'] });
      expect(await accounts.keys.revoke('key_none')).toBeNull();
    });

    test('a rotated key is good for its time of grace, to the millisecond; the new one has all its rights and names it', async () => {
      const limits = { ...NO_LIMITS, requestsPerMinute: 5 };
      const old = await accounts.keys.create({ name: 'ci', models: ['m'], regions: ['r'], networks: ['10.0.0.0/8'], scopes: ['embeddings'], priorityMax: 'critical', limits });
      expect(await kindOf(old.secret)).toBe('ok');
      const next = await accounts.keys.rotate(old.record.id, 60_000);
      expect(next.record).toMatchObject({ name: 'ci', models: ['m'], regions: ['r'], networks: ['10.0.0.0/8'], scopes: ['embeddings'], priorityMax: 'critical', replaces: old.record.id, expiresAtMs: null });
      expect(next.record.limits.key).toEqual(limits);
      clock.advance(59_999);
      expect([await kindOf(old.secret), await kindOf(next.secret)]).toEqual(['ok', 'ok']);
      clock.advance(1);
      expect([await kindOf(old.secret), await kindOf(next.secret)]).toEqual(['expired', 'ok']);
      await expect(accounts.keys.rotate(old.record.id, 1)).rejects.toThrow(/revoked or expired/);
    });

    test('a rotated key that would expire sooner does', async () => {
      const old = await accounts.keys.create({ name: 'ci', expiresAtMs: clock.wallMs() + 10 });
      await accounts.keys.rotate(old.record.id, 60_000);
      clock.advance(10);
      expect(await kindOf(old.secret)).toBe('expired');
    });

    test('what is changed counts for the next request of a key that was just seen: limits, scopes, archived projects', async () => {
      const { id: project } = await accounts.tenants.createProject({ organization: 'org_default', name: 'p' }, SYSTEM);
      const { secret, record } = await accounts.keys.create({ name: 'a', project });
      expect(await authenticate(secret)).toMatchObject({ kind: 'ok', key: { limits: { project: NO_LIMITS } } });
      const limits = { requestsPerMinute: 1, tokensPerMinute: 2, concurrentRequests: 3 };
      await accounts.tenants.updateProject(project, { limits }, SYSTEM);
      await accounts.tenants.limitModel(project, 'm', limits, SYSTEM);
      await accounts.tenants.updateOrganization('org_default', { limits }, SYSTEM);
      await accounts.keys.update(record.id, { scopes: ['embeddings'], limits });
      expect(await authenticate(secret)).toMatchObject({ kind: 'ok', key: { scopes: ['embeddings'], limits: { key: limits, project: limits, organization: limits, projectModels: new Map([['m', limits]]) } } });
      await accounts.tenants.archiveProject(project, SYSTEM);
      expect(await kindOf(secret)).toBe('archived');
      accounts = await opened();
      expect((await accounts.tenants.organization('org_default'))?.limits).toEqual(limits);
    });

    test('a project is of one organization: a key of another cannot be in it', async () => {
      await accounts.keys.create({ name: 'a', organization: 'org_a', project: 'proj_a' });
      await expect(accounts.keys.create({ name: 'b', organization: 'org_b', project: 'proj_a' })).rejects.toThrow(/not one of org_b/);
      expect(await accounts.tenants.organization('org_b')).toBeNull();
      expect((await accounts.keys.create({ name: 'c', organization: 'org_b' })).record.project).toBe('proj_default-org_b');
    });

    test.each(['10.0.0.0/33', '10.0.0', '2001:db8::/129', 'example.com', '10.0.0.0/x', ''])('%j is no network, and no key is made with it', async (network) => {
      await expect(accounts.keys.create({ name: 'a', networks: ['10.0.0.0/8', network] })).rejects.toThrow(/networks\[1\]/);
      expect((await accounts.keys.list({ limit: 10 })).records).toEqual([]);
    });

    test('keys are listed in pages in the order they were made', async () => {
      const ids: string[] = [];
      for (const each of ['a', 'b', 'c']) ids.push((await accounts.keys.create({ name: each })).record.id);
      const first = await accounts.keys.list({ limit: 2 });
      expect(first.records.map(({ id }) => id)).toEqual(ids.slice(0, 2));
      expect(first.hasMore).toBe(true);
      expect(await accounts.keys.list({ limit: 2, after: ids[1] })).toMatchObject({ records: [{ id: ids[2] }], hasMore: false });
      await expect(accounts.keys.list({ limit: 2, after: 'key_none' })).rejects.toMatchObject({ code: 'invalid_value', param: 'after' });
      await expect(accounts.keys.list({ limit: 1_001 })).rejects.toMatchObject({ code: 'invalid_value', param: 'limit' });
    });

    test('the time of last use is known at once, and written when it is closed', async () => {
      const { record, secret } = await accounts.keys.create({ name: 'a' });
      clock.advance(7);
      await authenticate(secret);
      expect((await accounts.keys.get(record.id))?.lastUsedAtMs).toBe(clock.wallMs());
      clock.advance(60_000);
      const other = await opened();
      await expect.poll(async () => (await other.keys.get(record.id))?.lastUsedAtMs).toBe(clock.wallMs() - 60_000);
    });

    test('a service account goes with its keys', async () => {
      const account = await accounts.tenants.createServiceAccount({ project: 'proj_default', name: 'robot' }, SYSTEM);
      const { secret } = await accounts.keys.create({ name: 'robot', serviceAccount: account.id });
      expect(await kindOf(secret)).toBe('ok');
      await accounts.tenants.deleteServiceAccount(account.id, SYSTEM);
      expect([await kindOf(secret), await accounts.tenants.serviceAccount(account.id)]).toEqual(['revoked', null]);
    });

    test('the audit log has each act with who did it, and is asked by type, project, actor, time and place', async () => {
      const { audit, tenants, keys } = accounts;
      await keys.create({ name: 'first' });
      for (let i = 0; i < 8; i += 1) await tenants.createProject({ organization: 'org_default', name: `p${i}` }, { kind: 'admin_key', keyId: `key_${i % 2}`, address: '10.0.0.1' });
      const newest = await audit.list({ limit: 3 });
      expect(newest.map(({ detail }) => detail['name'])).toEqual(['p7', 'p6', 'p5']);
      expect((await audit.list({ limit: 2, after: newest[0]?.id ?? '' })).map(({ detail }) => detail['name'])).toEqual(['p6', 'p5']);
      expect((await audit.list({ limit: 9, before: newest[1]?.id ?? '' })).map(({ detail }) => detail['name'])).toEqual(['p7']);
      expect(await audit.list({ limit: 99, actors: ['key_1'] })).toHaveLength(4);
      expect(await audit.list({ limit: 99, types: ['api_key.created'] })).toHaveLength(1);
      expect(await audit.list({ limit: 99, organization: 'org_none' })).toEqual([]);
      expect(await audit.list({ limit: 99, toMs: clock.wallMs() })).toEqual([]);
      await expect(audit.list({ limit: 1, after: 'nothing' })).rejects.toThrow(/no audit event/);
      expect(await audit.verify()).toEqual({ count: 9, fault: null });
    });
  });
}
