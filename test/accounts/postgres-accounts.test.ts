import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openAccounts, SYSTEM, type Accounts } from '../../src/accounts/index.ts';
import { noLog } from '../../src/core/index.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { hasPostgres, PostgresServer } from '../support/postgres-server.ts';
import { until } from '../support/until.ts';
import { accountsSuite } from './accounts-suite.ts';

const CACHE_MS = 60_000;

describe.skipIf(!hasPostgres)('accounts that gateways share', () => {
  let server: PostgresServer;
  let template: string;
  beforeAll(async () => {
    server = await PostgresServer.start();
    template = await server.database();
    await (await open(template, new ManualClock())).close();
  });
  afterAll(() => server.close());

  const open = (url: string, clock: ManualClock, pepper = 7): Promise<Accounts> =>
    openAccounts({ at: { kind: 'postgres', url, connectionsMax: 2, connectMs: 1_000 }, pepper: Buffer.alloc(32, pepper), clock, log: noLog, recheckMs: CACHE_MS });

  accountsSuite('PostgreSQL', async () => {
    const url = await server.database(template);
    return { open: (clock) => open(url, clock) };
  });

  async function several(count: number) {
    const url = await server.database(template);
    const clock = new ManualClock();
    const all = await Promise.all(Array.from({ length: count }, () => open(url, clock)));
    onTestFinished(async () => {
      await Promise.all(all.map((one) => one.close()));
    });
    return { url, clock, all, one: all[0] as Accounts, other: all[1] as Accounts };
  }

  test('are refused to a gateway with other secrets, which is told what to do', async () => {
    const { url } = await several(1);
    await expect(open(url, new ManualClock(), 8)).rejects.toThrow(/Give all gateways on one database the same file.*secrets_file/);
  });

  test('have one default project, however many gateways start at once', async () => {
    const url = await server.database();
    const clock = new ManualClock();
    const all = await Promise.all(Array.from({ length: 6 }, () => open(url, clock)));
    expect((await all[5]?.tenants.projects('org_default', { limit: 10 }))?.items).toHaveLength(1);
    await Promise.all(all.map((one) => one.close()));
  });

  test('have a whole audit log, however many gateways write it at once', async () => {
    const { all, one } = await several(6);
    await Promise.all(all.flatMap(({ tenants }, i) => Array.from({ length: 10 }, (_, k) => tenants.createProject({ organization: 'org_default', name: `${i} ${k}` }, SYSTEM))));
    expect(await one.audit.verify()).toEqual({ count: 60, fault: null });
  });

  test('are changed for all: what one gateway revokes, another refuses once it forgets', async () => {
    const { clock, one, other } = await several(2);
    const { record, secret } = await one.keys.create({ name: 'a' });
    expect(await other.keys.authenticate(secret, clock.wallMs())).toMatchObject({ kind: 'ok' });
    await one.keys.revoke(record.id);
    other.keys.forget();
    expect(await other.keys.authenticate(secret, clock.wallMs())).toEqual({ kind: 'revoked' });
  });

  test('are remembered for a while when the database is gone, and then nobody is let in until it is back', async () => {
    const { clock, one } = await several(1);
    const { secret } = await one.keys.create({ name: 'a' });
    const cold = await one.keys.create({ name: 'b' });
    await one.keys.authenticate(secret, clock.wallMs());
    clock.advance(CACHE_MS / 2);
    one.keys.confirm(clock.now());
    await server.stop('SIGQUIT');
    clock.advance(CACHE_MS - 1);
    expect(one.keys.authenticate(secret, clock.wallMs())).toMatchObject({ kind: 'ok' });
    await expect(Promise.resolve(one.keys.authenticate(cold.secret, clock.wallMs()))).rejects.toMatchObject({ code: 'overloaded' });
    clock.advance(1);
    await expect(Promise.resolve(one.keys.authenticate(secret, clock.wallMs()))).rejects.toMatchObject({ code: 'overloaded' });
    await server.up();
    await until(async () => (await Promise.resolve(one.keys.authenticate(cold.secret, clock.wallMs())).catch(() => null))?.kind === 'ok', 'keys are looked up again');
  });

  test('do not change in the audit log, by anybody', async () => {
    const { url, one } = await several(1);
    await one.keys.create({ name: 'a' });
    await expect(server.query(url, 'DELETE FROM audit_events')).rejects.toThrow(/append-only/);
    await server.query(url, "ALTER TABLE audit_events DISABLE TRIGGER USER; UPDATE audit_events SET detail = '{}'");
    expect((await one.audit.verify()).fault).toContain('event 1');
  });
});
