import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startSimEngine } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { MeridianProcess } from '../support/meridian-process.ts';
import { hasPostgres, PostgresServer } from '../support/postgres-server.ts';
import { ADMIN_KEY, adminOf, MODEL } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';


describe.skipIf(!hasPostgres)('meridian gateway --workers 2, on one database', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.close());

  async function started(): Promise<{ readonly pool: MeridianProcess; readonly publicUrl: string; readonly adminUrls: readonly string[] }> {
    const directory = mkdtempSync(join(tmpdir(), 'meridian-workers-'));
    const engine = await startSimEngine({ model: MODEL, timeScale: 20, seed: 1 });
    const file = join(directory, 'gateway.yaml');
    writeFileSync(file, `
gateway: { id: pool, region: gcp-us-east4 }
listen: { public: { port: 0 }, admin: { port: 0 } }
data_dir: ${join(directory, 'data')}
postgres: { url: '${await server.database()}' }
admin_key: ${ADMIN_KEY}
models: { ${MODEL}: {} }
replicas: [{ id: r, url: '${engine.url}', region: gcp-us-east4, models: [${MODEL}], engine: sglang, max_running: 64, canary_tokens: 0 }]
drain: { readiness_ms: 0, streams_ms: 20000 }
`);
    const pool = new MeridianProcess(['gateway', '--config', file, '--workers', '2']);
    onTestFinished(async () => {
      await pool.end('SIGKILL');
      await engine.close();
      rmSync(directory, { recursive: true, force: true });
    });
    await pool.prints('gateway is up');
    const { publicUrl, adminUrls } = pool.logged.find(({ message }) => message === 'gateway is up') ?? {};
    for (const adminUrl of adminUrls as string[]) await until(async () => (await fetch(`${adminUrl}/readyz`)).ok, 'every worker is ready');
    return { pool, publicUrl: String(publicUrl), adminUrls: adminUrls as string[] };
  }

  test('says that limits count for each worker where there is no Redis, and ends well', async () => {
    const { pool, adminUrls } = await started();
    expect(new Set(adminUrls).size).toBe(2);
    expect(pool.logged.find(({ level }) => level === 'warn')).toMatchObject({ message: expect.stringContaining('there is no redis') });
    expect(await pool.end('SIGTERM')).toBe(0);
  });

  test('a key that one worker made is good at the port of all, before and after they are replaced', async () => {
    const { pool, publicUrl, adminUrls } = await started();
    const { json } = await adminOf(String(adminUrls[0]))('POST', '/admin/v1/keys', { name: 'test' });
    const ask = (): Promise<Asking> => new Asking({ publicUrl, apiKey: String(json['key']) }, { model: MODEL, max_tokens: 5, messages: [{ role: 'user', content: 'Hi' }] }).over();
    const refused = async (): Promise<string[]> => (await Promise.all(Array.from({ length: 20 }, ask))).filter(({ status }) => status !== 200).map(({ text }) => text);
    await until(async () => (await refused()).length === 0, 'every worker knows the key');
    pool.signal('SIGUSR2');
    await pool.prints('all workers are replaced');
    expect(await refused()).toEqual([]);
  });
});
