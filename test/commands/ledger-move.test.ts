import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpenAI } from 'openai';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { GatewayConfig } from '../../src/config/index.ts';
import { meridian, MeridianProcess } from '../support/meridian-process.ts';
import { hasPostgres, PostgresServer } from '../support/postgres-server.ts';
import { ADMIN_KEY, MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const BODY = { model: MODEL, max_tokens: 5, messages: [{ role: 'user' as const, content: 'Where do we move to?' }] };
const USAGE = '/v1/organization/usage/completions?start_time=1760000000&bucket_width=1d&limit=31&group_by=project_id&group_by=model';

describe.skipIf(!hasPostgres)('books that move into PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.close());

  function folder(): string {
    const directory = mkdtempSync(join(tmpdir(), 'meridian-move-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    return directory;
  }

  const fleetIn = (dataDir: string, postgresUrl?: string): Promise<TestFleet> =>
    startTestFleet({
      regions: {},
      agentless: 1,
      config: (config): GatewayConfig => ({ ...config, dataDir, ...(postgresUrl === undefined ? {} : { postgres: { url: postgresUrl, connectionsMax: 4, statementMs: 5_000, eventsKeptMonths: 0 } }) }),
    });

  const ask = (fleet: TestFleet, apiKey: string): Promise<unknown> => new OpenAI({ baseURL: fleet.gateway.publicUrl, apiKey, maxRetries: 0 }).chat.completions.create(BODY);

  async function seen(fleet: TestFleet) {
    const { gateway } = fleet;
    await gateway.feed.catchUp();
    const read = async (path: string): Promise<unknown> => (await fleet.admin('GET', path)).json['data'];
    return { usage: await read(USAGE), keys: await read('/admin/v1/keys?limit=100'), budgets: await read('/admin/v1/budgets?limit=100'), credits: await read('/admin/v1/credits?limit=100'), balance: await gateway.ledger.balance('org_default'), audit: await read('/v1/organization/audit_logs?limit=5') };
  }

  async function filled(dataDir: string): Promise<{ apiKey: string; before: Awaited<ReturnType<typeof seen>> }> {
    const fleet = await fleetIn(dataDir);
    await fleet.admin('POST', '/admin/v1/credits', { organization: 'org_default', amount_usd: '5', kind: 'paid' });
    await fleet.admin('POST', '/admin/v1/budgets', { organization: 'org_default', amount_usd: '2', period: 'total' });
    const { json } = await fleet.admin('POST', '/admin/v1/keys', { name: 'mover', project: 'proj_moved' });
    for (let i = 0; i < 12; i += 1) await ask(fleet, String(json['key']));
    const before = await seen(fleet);
    await fleet.close();
    return { apiKey: String(json['key']), before };
  }

  test('say the same as before, and go on from there: keys, usage, budgets, audit log', async () => {
    const dataDir = folder();
    const { apiKey, before } = await filled(dataDir);
    const url = await server.database();
    const moved = await meridian(['ledger', 'move', '--from', `sqlite:${dataDir}`, '--to', url]);
    expect([moved.ended, moved.stdout]).toEqual([0, expect.stringContaining('Sums and seals of the ledger are right')]);
    expect(moved.stdout).not.toContain('DIFFERENT');
    const fleet = await fleetIn(dataDir, url);
    onTestFinished(() => fleet.close());
    const after = await seen(fleet);
    expect({ ...after, keys: (after.keys as object[]).slice(0, (before.keys as object[]).length), audit: null }).toEqual({ ...before, audit: null });
    await ask(fleet, apiKey);
    await fleet.gateway.feed.catchUp();
    const [row] = await server.query(url, "SELECT count(*)::int AS count FROM events WHERE kind = 'request'");
    expect(row).toEqual({ count: 13 });
    expect([await fleet.gateway.ledger.faults(), (await fleet.admin('GET', '/admin/v1/audit_log/verification')).json]).toMatchObject([[], { intact: true }]);
  });

  test('go on where a move was broken off, and are moved once', async () => {
    const dataDir = folder();
    await filled(dataDir);
    const url = await server.database();
    const args = ['ledger', 'move', '--from', `sqlite:${dataDir}`, '--to', url];
    const first = new MeridianProcess(args);
    await until(async () => first.ended !== null || (await server.query(url, "SELECT to_regclass('table_copies') IS NOT NULL AS there"))[0]?.['there'] === true, 'the copy has begun');
    await first.end('SIGKILL');
    const again = await meridian(args);
    expect([again.ended, again.stdout]).toEqual([0, expect.stringContaining('Sums and seals of the ledger are right')]);
    const [row] = await server.query(url, 'SELECT count(*)::int AS count, count(DISTINCT event_id)::int AS ids FROM events');
    expect(row).toEqual({ count: 12, ids: 12 });
    expect((await meridian(args)).ended).toBe(0);
  });

  test('are refused by a database that is not empty, and from a directory that is none', async () => {
    const dataDir = folder();
    await filled(dataDir);
    const url = await server.database();
    const other = await fleetIn(folder(), url);
    await ask(other, other.apiKey);
    await other.close();
    const refused = await meridian(['ledger', 'move', '--from', `sqlite:${dataDir}`, '--to', url]);
    expect([refused.ended, refused.stderr]).toEqual([1, expect.stringMatching(/has rows already. Move into an empty database/)]);
    expect((await meridian(['ledger', 'move', '--from', `sqlite:${folder()}`, '--to', url])).stderr).toContain('has no ledger.sqlite');
    expect((await meridian(['ledger', 'move', '--from', 'sqlite:x', '--to', 'mysql://x'])).ended).toBe(2);
  });

  test('get the usage of a gateway that does not return, once, by its journal alone', async () => {
    const dataDir = folder();
    const url = await server.database();
    const fleet = await fleetIn(dataDir, url);
    await fleet.admin('POST', '/admin/v1/budgets', { organization: 'org_default', amount_usd: '2', period: 'total' });
    for (let i = 0; i < 4; i += 1) await ask(fleet, fleet.apiKey);
    await fleet.gateway.feed.catchUp();
    await server.stop('SIGQUIT');
    for (let i = 0; i < 5; i += 1) await ask(fleet, fleet.apiKey);
    await fleet.close();
    await server.up();
    const file = join(folder(), 'gateway.yaml');
    writeFileSync(file, `gateway: { id: test, region: r }\nlisten: { fleet: { token: 0123456789abcdef } }\nadmin_key: ${ADMIN_KEY}\nmodels: { ${MODEL}: {} }\npostgres: { url: '${url}' }\n`);
    const args = ['journal', 'ship', dataDir, '--config', file];
    const shipped = await meridian(args);
    expect([shipped.ended, shipped.stdout]).toEqual([0, expect.stringMatching(/^5 lines of the journal test\/\w+ were brought over/)]);
    expect((await meridian(args)).stdout).toMatch(/^0 lines/);
    expect(await server.query(url, "SELECT count(*)::int AS count FROM events WHERE kind = 'request'")).toEqual([{ count: 9 }]);
    expect(await server.query(url, 'SELECT * FROM allowances')).toEqual([]);
  });

  test('are not taken from an old backup unnoticed: a gateway whose usage is missing there refuses to start', async () => {
    const dataDir = folder();
    const url = await server.database();
    const fleet = await fleetIn(dataDir, url);
    await ask(fleet, fleet.apiKey);
    await fleet.gateway.feed.catchUp();
    const backup = await server.database(undefined);
    await fleet.close();
    await expect(fleetIn(dataDir, backup)).rejects.toThrow(/restored from an older backup.*meridian journal ship --after-restore/);
    const file = join(folder(), 'gateway.yaml');
    writeFileSync(file, `gateway: { id: test, region: r }\nlisten: { fleet: { token: 0123456789abcdef } }\nadmin_key: ${ADMIN_KEY}\nmodels: { ${MODEL}: {} }\npostgres: { url: '${backup}' }\n`);
    expect((await meridian(['journal', 'ship', dataDir, '--config', file])).ended).toBe(1);
    expect((await meridian(['journal', 'ship', dataDir, '--config', file, '--after-restore'])).stdout).toMatch(/^1 lines/);
    await (await fleetIn(dataDir, backup)).close();
  });
});
