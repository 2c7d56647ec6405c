import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { noLog, systemClock, type Logger } from '../../src/core/index.ts';
import { GuardedRedis, Members, openRedis, type Member } from '../../src/redis/index.ts';
import { freePort } from '../support/meridian-process.ts';
import { hasRedis, RedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

type Settings = Parameters<typeof openRedis>[0];

async function started(settings: readonly string[] = []): Promise<RedisServer> {
  const server = await RedisServer.start(settings);
  onTestFinished(() => server.close());
  return server;
}

async function opened(settings: Partial<Settings> & Pick<Settings, 'urls'>, log: Logger = noLog): Promise<GuardedRedis> {
  const client = await openRedis({ mode: 'single', keyPrefix: 'test', commandMs: 500, ...settings }, log);
  const redis = new GuardedRedis({ client, clock: systemClock, log: noLog });
  onTestFinished(() => redis.close());
  return redis;
}

describe.skipIf(!hasRedis)('Redis at the start', () => {
  test.each<[string, readonly string[], string, Settings['mode'], RegExp]>([
    ['a wrong password', ['--requirepass', 'right'], 'redis://:hidden@', 'single', /refuses the user or password of redis.urls/],
    ['no password', ['--requirepass', 'right'], 'redis://', 'single', /refuses the user or password/],
    ['a node of a cluster taken for a server', ['--cluster-enabled', 'yes'], 'redis://', 'single', /is a node of a cluster. Say mode: cluster/],
    ['a server taken for a cluster', [], 'redis://', 'cluster', /is a server, no cluster and no Sentinel. Say mode: single/],
    ['a server taken for a Sentinel', [], 'redis://', 'sentinel', /is a server, no cluster and no Sentinel. Say mode: single under redis, or name the Sentinels/],
  ])('%s is refused with what to do, and without the password', async (_what, settings, scheme, mode, message) => {
    const { port } = await started(settings);
    const refusal = await opened({ urls: [`${scheme}127.0.0.1:${port}`], mode, sentinelName: 'm' }).then(String, String);
    expect(refusal).toMatch(message);
    expect(refusal).toContain(`127.0.0.1:${port}`);
    expect(refusal).not.toContain('hidden');
  });

  test('that cannot be reached is logged, and used once it is there', async () => {
    const server = await started();
    await server.stop();
    const said: string[] = [];
    const redis = await opened({ urls: [server.url] }, { ...noLog, error: (_fields, message) => void said.push(message) });
    expect(said.join()).toContain('Redis cannot be reached');
    await server.up();
    await until(async () => (await redis.run((client) => client.ping()).catch(() => '')) === 'PONG', 'it is used');
  });

  test('behind Sentinels is the master they know, also after another one has become it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'meridian-sentinel-'));
    const master = await started();
    const replica = await started(['--replicaof', '127.0.0.1', String(master.port)]);
    const ports = [await freePort(), await freePort(), await freePort()];
    const sentinels = ports.map((port) => {
      const file = join(directory, `${port}.conf`);
      writeFileSync(file, `port ${port}\nbind 127.0.0.1\ndir ${directory}\nsentinel monitor books 127.0.0.1 ${master.port} 2\nsentinel down-after-milliseconds books 500\nsentinel failover-timeout books 2000\n`);
      return spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
    });
    onTestFinished(() => {
      for (const sentinel of sentinels) sentinel.kill('SIGKILL');
      rmSync(directory, { recursive: true });
    });
    const eye = new Redis(ports[0] ?? 0, '127.0.0.1', { maxRetriesPerRequest: 0 });
    eye.on('error', () => {});
    onTestFinished(() => eye.disconnect());
    const knows = async (): Promise<boolean> => {
      const text = JSON.stringify(await eye.call('SENTINEL', 'MASTER', 'books').catch(() => ''));
      return text.includes('"num-slaves","1"') && text.includes('"num-other-sentinels","2"');
    };
    await until(knows, 'the Sentinels know the replica and each other');
    const redis = await opened({ urls: ports.map((port) => `redis://127.0.0.1:${port}`), mode: 'sentinel', sentinelName: 'books' });
    await until(async () => (await redis.run((client) => client.set('here', 'before')).catch(() => '')) === 'OK', 'the master is used');
    await master.stop();
    await until(async () => (await redis.run((client) => client.set('here', 'after')).catch(() => '')) === 'OK', 'another master is used');
    const check = replica.client();
    expect(await check.get('here')).toBe('after');
    check.disconnect();
  });
});

describe.skipIf(!hasRedis)('the gateways that are there', () => {
  const LEASE_MS = 600;

  async function join(redis: GuardedRedis, id: string, seen: (readonly Member[])[] = []): Promise<Members> {
    const members = await Members.join({ redis, keyPrefix: 'test', self: { id, region: 'r', fleetUrl: `ws://${id}`, startedAtMs: 0 }, beatMs: 100, leaseMs: LEASE_MS, clock: systemClock, log: noLog, onChange: (list) => seen.push(list) });
    onTestFinished(() => members.close());
    return members;
  }

  test('see each other, and that one has left or died', async () => {
    const server = await started();
    const [a, b, c] = [await opened({ urls: [server.url] }), await opened({ urls: [server.url] }), await opened({ urls: [server.url] })];
    const seen: (readonly Member[])[] = [];
    const first = await join(a, 'a', seen);
    const leaves = await join(b, 'b');
    await join(c, 'c');
    await until(() => first.list().length === 3, 'all are there');
    expect(seen.at(-1)?.map(({ id, fleetUrl }) => [id, fleetUrl])).toEqual([['a', 'ws://a'], ['b', 'ws://b'], ['c', 'ws://c']]);
    await leaves.close();
    await until(() => first.list().length === 2, 'one has left');
    c.close();
    await until(() => first.list().length === 1, 'one is gone with its lease');
  });

  test('have ids of their own; one that was killed may come back under its id once its lease is over', async () => {
    const server = await started();
    const [a, b, c] = [await opened({ urls: [server.url] }), await opened({ urls: [server.url] }), await opened({ urls: [server.url] })];
    await join(a, 'same');
    await expect(join(b, 'same')).rejects.toThrow(/Another gateway with the id 'same' is there/);
    a.close();
    await join(c, 'same');
  });

  test('are those last seen while Redis is away', async () => {
    const server = await started();
    const [a, b] = [await opened({ urls: [server.url] }), await opened({ urls: [server.url] })];
    const first = await join(a, 'a');
    await join(b, 'b');
    await until(() => first.list().length === 2, 'both are there');
    await server.stop();
    await until(() => !a.isUp, 'it is seen that Redis is away');
    expect(first.list()).toHaveLength(2);
  });
});
