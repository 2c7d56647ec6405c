import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { LimitAnswer, LimitedScope } from '../../src/admission/index.ts';
import { noLog, NO_LIMITS, systemClock } from '../../src/core/index.ts';
import { ChangeBus, GuardedRedis, Members, openRedis, SharedLimiter, type Member } from '../../src/redis/index.ts';
import { RedisCluster } from '../support/redis-cluster.ts';
import { hasRedis } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

const GATEWAYS = 4;
const now = (): number => systemClock.now();

describe.skipIf(!hasRedis)('a Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });
  afterAll(() => cluster.close());

  async function opened(): Promise<GuardedRedis> {
    const client = await openRedis({ mode: 'cluster', urls: cluster.urls.slice(0, 2), keyPrefix: 'test', commandMs: 500 }, noLog);
    const redis = new GuardedRedis({ client, clock: systemClock, log: noLog });
    onTestFinished(() => redis.close());
    return redis;
  }

  async function limiters(): Promise<{ limiter: SharedLimiter; redis: GuardedRedis }[]> {
    return Promise.all(
      Array.from({ length: GATEWAYS }, async (_, i) => {
        const redis = await opened();
        const limiter = new SharedLimiter({ redis, keyPrefix: 'test', gateway: `g${i}`, leaseMs: 2_000, gateways: () => GATEWAYS, scopesMax: 100, clock: systemClock, log: noLog });
        onTestFinished(() => limiter.close());
        return { limiter, redis };
      }),
    );
  }

  function scopesOf(organization: string, requestsPerMinute: number): LimitedScope[] {
    return [
      { kind: 'key', id: `key of ${organization}`, limits: { ...NO_LIMITS, requestsPerMinute: 1_000_000, concurrentRequests: 1_000_000 } },
      { kind: 'project', id: `project of ${organization}`, limits: { ...NO_LIMITS, tokensPerMinute: 1_000_000_000 } },
      { kind: 'organization', id: `organization ${organization}`, limits: { ...NO_LIMITS, requestsPerMinute } },
    ];
  }

  /** Asks at all gateways on and on until `isOver`; how many were let in. */
  async function hammer(all: readonly { limiter: SharedLimiter }[], scopes: readonly LimitedScope[], isOver: () => boolean): Promise<number> {
    const each = await Promise.all(
      all.map(async ({ limiter }) => {
        let entered = 0;
        while (!isOver()) {
          const answers = await Promise.all(Array.from({ length: 8 }, () => Promise.resolve(limiter.enter(scopes, 1, now()))));
          entered += answers.filter(({ kind }) => kind === 'entered').length;
          await new Promise((resolve) => setImmediate(resolve));
        }
        return entered;
      }),
    );
    return each.reduce((sum, one) => sum + one, 0);
  }

  test('counts the limits of an organization on one of its nodes, exactly', async () => {
    const all = await limiters();
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => all[i % GATEWAYS]?.limiter.enter(scopesOf('exact', 90), 1, now()) as Promise<LimitAnswer>));
    expect(answers.filter(({ kind }) => kind === 'entered')).toHaveLength(90);
    expect(all.map(({ limiter }) => limiter.decidedAlone)).toEqual([0, 0, 0, 0]);
  });

  test('may move the slot of an organization to another node under load, and not one request more gets in', async () => {
    const all = await limiters();
    const scopes = scopesOf('moved', 400);
    const { server, slot } = await cluster.masterOf('test:{organization moved}:rate:organization moved');
    let isMoved = false;
    const load = hammer(all, scopes, () => isMoved);
    await cluster.moveSlot(slot, server, (server + 1) % 3);
    isMoved = true;
    const during = await load;
    let isSpent = false;
    const rest = hammer(all, scopes, () => isSpent);
    await until(async () => (await all[0]?.limiter.enter(scopes, 1, now()))?.kind === 'refused', 'the limit is reached');
    isSpent = true;
    const counted = (await all[1]?.limiter.enter(scopes, 1, now())) as LimitAnswer;
    expect(during + (await rest)).toBeLessThanOrEqual(401);
    expect(counted.kind === 'refused' ? counted.used : null).toBe(400);
  });

  test('tells news and members over all its nodes', async () => {
    const [one, other] = [await opened(), await opened()];
    const heard: string[] = [];
    const bus = (redis: GuardedRedis): ChangeBus => new ChangeBus({ redis, keyPrefix: 'test', clock: systemClock, onNews: (what) => heard.push(what), onGap: () => {} });
    const [from, to] = [bus(one), bus(other)];
    await until(() => {
      from.publish('accounts');
      return heard.includes('accounts');
    }, 'the news is heard');
    const lists: (readonly Member[])[] = [];
    const join = (redis: GuardedRedis, id: string): Promise<Members> =>
      Members.join({ redis, keyPrefix: 'test', self: { id, region: 'r', fleetUrl: null, startedAtMs: 0 }, beatMs: 100, leaseMs: 500, clock: systemClock, log: noLog, onChange: (members) => lists.push(members) });
    const members = [await join(one, 'a'), await join(other, 'b')];
    await until(() => members.every((each) => each.list().length === 2), 'both see both');
    for (const each of [...members, from, to]) await each.close();
  });

  test('that loses the master of an organization lets requests in all the same, within the shares, and is asked again once it has another', async () => {
    const all = await limiters();
    const scopes = scopesOf('lost', 400);
    const { server } = await cluster.masterOf('test:{organization lost}:rate:organization lost');
    let isOver = false;
    const load = hammer(all, scopes, () => isOver);
    await cluster.servers[server]?.stop();
    await until(() => all.some(({ redis }) => !redis.isUp), 'it is seen');
    const survivor = (server + 1) % 3;
    await until(async () => /cluster_state:ok/.test(String(await cluster.client(survivor).cluster('INFO'))) && (await cluster.masterOf('test:{organization lost}:rate:organization lost', survivor)).server !== server, 'another node took over');
    await until(() => all.every(({ redis }) => redis.isUp), 'it is asked again');
    isOver = true;
    // At the worst the limit once by Redis, and once more by the shares of those that could not ask.
    expect(await load).toBeLessThanOrEqual(2 * 400 + GATEWAYS);
    await until(async () => (await Promise.resolve(all[0]?.limiter.enter(scopesOf('after', 10), 1, now())))?.kind === 'entered', 'requests are counted again');
  });
});
