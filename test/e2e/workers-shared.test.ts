import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { OpenAI } from 'openai';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startSimEngine, type SimEngine } from '../../src/sim/index.ts';
import { freePort, MeridianProcess } from '../support/meridian-process.ts';
import { hasPostgres, PostgresServer } from '../support/postgres-server.ts';
import { hasRedis, RedisServer } from '../support/redis-server.ts';
import { ADMIN_KEY, adminOf, MODEL } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const BODY = { model: MODEL, max_tokens: 40, messages: [{ role: 'user' as const, content: 'Who is on duty?' }] };

describe.skipIf(!hasPostgres || !hasRedis)('workers on one port, with one database and one Redis', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let engine: SimEngine;
  beforeAll(async () => {
    [postgres, redis, engine] = await Promise.all([PostgresServer.start(), RedisServer.start(), startSimEngine({ model: MODEL, timeScale: 20, seed: 1 })]);
  });
  afterAll(async () => {
    await Promise.all([postgres.close(), redis.close(), engine.close()]);
  });

  async function configured(more = ''): Promise<{ file: string; port: number; directory: string }> {
    const directory = mkdtempSync(join(tmpdir(), 'meridian-workers-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const port = await freePort();
    const file = join(directory, 'gateway.yaml');
    writeFileSync(
      file,
      `
gateway: { id: edge, region: gcp-us-east4 }
listen: { public: { port: ${port} }, admin: { port: 0 } }
data_dir: ${join(directory, 'data')}
admin_key: ${ADMIN_KEY}
models: { ${MODEL}: {} }
replicas: [{ id: engine-1, url: '${engine.url}', region: gcp-us-east4, models: [${MODEL}], engine: sglang, max_running: 256 }]
drain: { readiness_ms: 300, streams_ms: 10000 }
overload: { standard: { delay_ms: 600000, heap_share: 1 } }
sharing: { beat_ms: 200, member_lease_ms: 1000 }
${more}`,
    );
    return { file, port, directory };
  }

  async function shared(): Promise<string> {
    return `postgres: { url: '${await postgres.database()}' }\nredis: { urls: ['${redis.url}'], key_prefix: 'p${await freePort()}' }`;
  }

  async function running(workers: number): Promise<{ supervisor: MeridianProcess; port: number; adminUrls: string[]; apiKey: string; databaseUrl: string }> {
    const more = await shared();
    const { file, port } = await configured(more);
    const supervisor = new MeridianProcess(['gateway', '--config', file, '--workers', String(workers)]);
    onTestFinished(async () => {
      if (supervisor.ended === null) await supervisor.end('SIGTERM');
    });
    await supervisor.prints('gateway is up');
    const up = supervisor.logged.find(({ adminUrls }) => adminUrls !== undefined);
    const adminUrls = up?.['adminUrls'] as string[];
    for (const adminUrl of adminUrls) await until(async () => (await fetch(`${adminUrl}/readyz`)).ok, 'every worker is ready');
    const { json } = await adminOf(String(adminUrls[0]))('POST', '/admin/v1/keys', { name: 'test' });
    return { supervisor, port, adminUrls, apiKey: String(json['key']), databaseUrl: /postgres:\/\/[^']+/.exec(more)?.[0] ?? '' };
  }

  /** Clients that ask on and on, streamed and not, over connections that are kept and over new ones, until they are told to stop. */
  function load(port: number, apiKey: string) {
    const client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey, maxRetries: 0, timeout: 30_000 });
    const failures: string[] = [];
    let answers = 0;
    let isOver = false;
    const ask = async (i: number): Promise<void> => {
      const headers = i % 3 === 0 ? { headers: { connection: 'close' } } : {};
      if (i % 2 === 0) {
        const { choices } = await client.chat.completions.create(BODY, headers);
        if (choices[0]?.finish_reason === undefined) throw new Error('it has no end');
      } else {
        let end: string | null = null;
        for await (const chunk of await client.chat.completions.create({ ...BODY, stream: true }, headers)) end = chunk.choices[0]?.finish_reason ?? end;
        if (end === null) throw new Error('the stream was cut');
      }
      answers += 1;
    };
    const all = Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        for (let k = 0; !isOver; k += 1) await ask(i + k).catch((error: unknown) => failures.push(inspect(error)));
      }),
    );
    return {
      failures,
      get answers() {
        return answers;
      },
      async stop() {
        isOver = true;
        await all;
      },
    };
  }

  test('answer together, with one set of keys, and all have drained when the command ends', async () => {
    const { supervisor, port, adminUrls, apiKey, databaseUrl } = await running(2);
    const clients = load(port, apiKey);
    await until(() => clients.answers > 60, 'requests are answered');
    await clients.stop();
    expect(clients.failures).toEqual([]);
    for (const url of adminUrls) {
      const text = await (await fetch(`${url}/metrics`)).text();
      expect(text).toMatch(/^meridian_gateways 2$/m);
      expect(Number(/^meridian_requests_total\{.*outcome="completed".*\} (\d+)/m.exec(text)?.[1])).toBeGreaterThan(0);
    }
    expect(await supervisor.end('SIGTERM')).toBe(0);
    expect(await postgres.query(databaseUrl, "SELECT count(*)::int AS count FROM events WHERE kind = 'request'")).toEqual([{ count: clients.answers }]);
  });

  test('are replaced one by one under load without a lost request', async () => {
    const { supervisor, port, apiKey, databaseUrl } = await running(2);
    const clients = load(port, apiKey);
    await until(() => clients.answers > 20, 'requests are answered');
    process.kill(supervisor.pid, 'SIGUSR2');
    await supervisor.prints('all workers are replaced', 80_000);
    const atEnd = clients.answers;
    await until(() => clients.answers > atEnd + 20, 'requests are answered by the new workers');
    await clients.stop();
    expect(clients.failures).toEqual([]);
    expect(supervisor.stdout.match(/a worker is being replaced/g)).toHaveLength(2);
    expect(await supervisor.end('SIGTERM')).toBe(0);
    expect(await postgres.query(databaseUrl, "SELECT count(*)::int AS count FROM events WHERE kind = 'request'")).toEqual([{ count: clients.answers }]);
  });

  test('are started again when they die, and what the dead one had recorded is booked', async () => {
    const { supervisor, port, apiKey, databaseUrl } = await running(2);
    const clients = load(port, apiKey);
    await until(() => clients.answers > 20, 'requests are answered');
    const [victim] = readFileSync(`/proc/${supervisor.pid}/task/${supervisor.pid}/children`, 'utf8').split(' ');
    process.kill(Number(victim), 'SIGKILL');
    await supervisor.prints('a worker that had ended serves again', 60_000);
    await clients.stop();
    expect(await supervisor.end('SIGTERM')).toBe(0);
    const [row] = await postgres.query(databaseUrl, "SELECT count(*)::int AS count FROM events WHERE kind = 'request'");
    // What was cut is recorded too; what was answered is, in any case.
    expect(Number(row?.['count'])).toBeGreaterThanOrEqual(clients.answers);
    expect(Number(row?.['count'])).toBeLessThanOrEqual(clients.answers + clients.failures.length);
  });
});
