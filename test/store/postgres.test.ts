import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPostgres } from '../../src/store/index.ts';
import { freePort } from '../support/meridian-process.ts';
import { hasPostgres, PostgresServer } from '../support/postgres-server.ts';

interface Tables {
  readonly things: { readonly id: number; readonly size: number };
}

const FIRST = 'CREATE TABLE things (id bigint PRIMARY KEY)';
const SECOND = 'ALTER TABLE things ADD COLUMN size bigint NOT NULL DEFAULT 7';

describe.skipIf(!hasPostgres)('a PostgreSQL database', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.close());

  const opened = (url: string, migrations: readonly string[]) => openPostgres<Tables>({ url, component: 'things', migrations });

  test('is brought to the newest schema, also by several that start at once', async () => {
    const url = await server.database();
    await (await opened(url, [FIRST])).destroy();
    const all = await Promise.all(Array.from({ length: 6 }, () => opened(url, [FIRST, SECOND])));
    await all[0]?.insertInto('things').values({ id: 1, size: 2 ** 52 }).execute();
    expect(await all[5]?.selectFrom('things').selectAll().execute()).toEqual([{ id: 1, size: 2 ** 52 }]);
    await Promise.all(all.map((db) => db.destroy()));
    expect(await server.query(url, 'SELECT * FROM schema_versions')).toEqual([{ component: 'things', version: 2 }]);
  });

  test('with a newer schema is refused, and a migration that fails leaves nothing', async () => {
    const url = await server.database();
    await expect(opened(url, [FIRST, 'CREATE TABLE things (oops)'])).rejects.toMatchObject({ code: 'conflict' });
    await (await opened(url, [FIRST, SECOND])).destroy();
    await expect(opened(url, [FIRST])).rejects.toThrow(/schema version 2, but this Meridian knows only up to 1.*newer one/);
  });

  test('commits durably, whatever the server was told', async () => {
    const url = await server.database();
    await server.query(url, 'ALTER DATABASE test_3 SET synchronous_commit = off');
    const db = await opened(url, [FIRST]);
    const { rows } = await sql`SHOW synchronous_commit`.execute(db);
    expect(rows).toEqual([{ synchronous_commit: 'on' }]);
    await db.destroy();
  });

  test('that is not there is refused with what to do, and without the password', async () => {
    await expect(opened(server.url('nowhere'), [])).rejects.toThrow(/"nowhere" does not exist. Make it with createdb/);
    const closed = await freePort();
    const refusal = await opened(`postgres://me:hidden@127.0.0.1:${closed}/books`, []).then(String, String);
    expect(refusal).toContain(`127.0.0.1:${closed}/books cannot be reached (ECONNREFUSED)`);
    expect(refusal).not.toContain('hidden');
  });
});
