import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { RateLimiter, type LimitAnswer, type LimitedScope, type RatePermit } from '../../src/admission/index.ts';
import { noLog, NO_LIMITS, seededRng, systemClock, type RateLimits } from '../../src/core/index.ts';
import { GuardedRedis, openRedis, SharedLimiter } from '../../src/redis/index.ts';
import { hasRedis, RedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

function scopesOf(organization: string, limits: Partial<RateLimits>, key: Partial<RateLimits> = {}): LimitedScope[] {
  return [
    { kind: 'key', id: `key of ${organization}`, limits: { ...NO_LIMITS, ...key } },
    { kind: 'organization', id: `organization ${organization}`, limits: { ...NO_LIMITS, ...limits } },
  ];
}

describe.skipIf(!hasRedis)('limits that gateways share', () => {
  let server: RedisServer;
  let organizations = 0;
  const newOrganization = (): string => `org_${(organizations += 1)}`;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.close());

  async function limiters(count: number, gateways = count): Promise<{ limiter: SharedLimiter; redis: GuardedRedis }[]> {
    return Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const client = await openRedis({ mode: 'single', urls: [server.url], keyPrefix: 'test', commandMs: 500 }, noLog);
        const redis = new GuardedRedis({ client, clock: systemClock, log: noLog });
        const limiter = new SharedLimiter({ redis, keyPrefix: 'test', gateway: `g${i}`, leaseMs: 600, gateways: () => gateways, scopesMax: 1_000, clock: systemClock, log: noLog });
        onTestFinished(() => {
          limiter.close();
          redis.close();
        });
        return { limiter, redis };
      }),
    );
  }

  const now = (): number => systemClock.now();
  const entered = (answers: readonly LimitAnswer[]): RatePermit[] => answers.flatMap((answer) => (answer.kind === 'entered' ? [answer.permit] : []));

  test('let in exactly as many requests and tokens as there may be, however many gateways ask at once', async () => {
    const all = await limiters(4);
    const scopes = scopesOf(newOrganization(), { requestsPerMinute: 100, tokensPerMinute: 2_000 });
    const answers = await Promise.all(Array.from({ length: 400 }, (_, i) => all[i % 4]?.limiter.enter(scopes, 25, now()) as Promise<LimitAnswer>));
    expect(entered(answers)).toHaveLength(80);
    const [refused] = answers.filter(({ kind }) => kind === 'refused');
    expect(refused).toMatchObject({ limit: 'tokens', max: 2_000, used: 2_000, scope: { kind: 'organization' } });
    expect(refused?.kind === 'refused' ? refused.retryAfterMs : 0).toBeGreaterThan(50_000);
  });

  test('give back what was not used, and count what was used beyond', async () => {
    const [a, b] = await limiters(2);
    const scopes = scopesOf(newOrganization(), { tokensPerMinute: 100 });
    const [first] = entered([await (a?.limiter.enter(scopes, 100, now()) as Promise<LimitAnswer>)]);
    expect((await b?.limiter.enter(scopes, 1, now()))?.kind).toBe('refused');
    first?.settle(30, now());
    await until(async () => (await b?.limiter.enter(scopes, 70, now()))?.kind === 'entered', 'the rest is there for others');
    expect((await a?.limiter.enter(scopes, 1, now()))?.kind).toBe('refused');
  });

  test('count requests at once over all gateways, and forget those of one that is gone', async () => {
    const [a, b] = await limiters(2);
    const scopes = scopesOf(newOrganization(), { concurrentRequests: 10 });
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? a : b)?.limiter.enter(scopes, 1, now()) as Promise<LimitAnswer>));
    const permits = entered(answers);
    expect(permits).toHaveLength(10);
    permits[0]?.release(now());
    await until(async () => (await a?.limiter.enter(scopes, 1, now()))?.kind === 'entered', 'a place that was left is free');
    expect((await b?.limiter.enter(scopes, 1, now()))?.kind).toBe('refused');
    a?.limiter.close();
    await until(async () => (await b?.limiter.enter(scopes, 1, now()))?.kind === 'entered', 'what a gateway held that is gone is free');
  });

  test('look at every scope before any counts, and say how the tightest stands', async () => {
    const [a] = await limiters(1);
    const scopes = scopesOf(newOrganization(), { requestsPerMinute: 2 }, { requestsPerMinute: 10, tokensPerMinute: 1_000 });
    const answers: LimitAnswer[] = [];
    for (let i = 0; i < 4; i += 1) answers.push((await a?.limiter.enter(scopes, 10, now())) as LimitAnswer);
    expect(answers.map(({ kind }) => kind)).toEqual(['entered', 'entered', 'refused', 'refused']);
    const last = answers[3];
    const view = last?.kind === 'refused' ? last.view : null;
    expect(view?.standing('requests', now())).toMatchObject({ max: 2, remaining: 0 });
    expect(view?.standing('tokens', now())).toMatchObject({ max: 1_000, remaining: 980 });
  });

  test('are the same as those of one gateway in memory, request by request', async () => {
    const [a] = await limiters(1);
    const rng = seededRng(7);
    const scopes = scopesOf(newOrganization(), { requestsPerMinute: 60, tokensPerMinute: 3_000, concurrentRequests: 12 }, { requestsPerMinute: 40, concurrentRequests: 9 });
    const memory = new RateLimiter(100);
    const open: [RatePermit, RatePermit][] = [];
    for (let i = 0; i < 200; i += 1) {
      const tokens = Math.floor(rng.next() * 150);
      const shared = (await a?.limiter.enter(scopes, tokens, now())) as LimitAnswer;
      const alone = memory.enter(scopes, tokens, 0);
      expect([shared.kind, shared.kind === 'refused' ? [shared.limit, shared.max, shared.used, shared.scope.kind] : null]).toEqual([alone.kind, alone.kind === 'refused' ? [alone.limit, alone.max, alone.used, alone.scope.kind] : null]);
      if (shared.kind === 'entered' && alone.kind === 'entered') open.push([shared.permit, alone.permit]);
      if (rng.next() < 0.4 && open.length > 0) {
        const used = Math.floor(rng.next() * 200);
        for (const permit of open.shift() ?? []) {
          permit.settle(used, permit === open[0]?.[0] ? now() : 0);
          permit.release(0);
        }
      }
    }
  });

  test('are judged by each gateway for its share while Redis is away, and what was let in counts once it is back', async () => {
    const all = await limiters(4);
    const scopes = scopesOf(newOrganization(), { requestsPerMinute: 100 });
    await server.stop();
    for (const { limiter } of all) await until(async () => (await limiter.enter(scopesOf('other', { requestsPerMinute: 1_000_000 }), 1, now())).kind === 'entered', 'requests go on');
    await until(() => all.every(({ redis }) => !redis.isUp), 'every gateway has seen that Redis is away');
    const answers = all.flatMap(({ limiter }) => Array.from({ length: 50 }, () => limiter.enter(scopes, 1, now())));
    expect(answers.some((answer) => answer instanceof Promise)).toBe(false);
    expect(entered(answers as LimitAnswer[])).toHaveLength(100);
    await server.up();
    await until(() => all.every(({ redis }) => redis.isUp), 'every gateway has seen that Redis is back');
    await until(async () => (await all[0]?.limiter.enter(scopes, 1, now()))?.kind === 'refused', 'what was let in without Redis counts');
    const [refused] = await Promise.all(all.map(({ limiter }) => Promise.resolve(limiter.enter(scopes, 1, now()))));
    expect(refused?.kind === 'refused' ? refused.used : 0).toBeLessThanOrEqual(104);
  });

  test('are not waited for when Redis hangs', async () => {
    const [a] = await limiters(1);
    const scopes = scopesOf(newOrganization(), { requestsPerMinute: 1_000 });
    server.signal('SIGSTOP');
    try {
      await until(async () => {
        await a?.limiter.enter(scopes, 1, now());
        return a?.redis.isUp === false;
      }, 'the breaker opens');
      expect(a?.limiter.enter(scopes, 1, now())).toMatchObject({ kind: 'entered' });
    } finally {
      server.signal('SIGCONT');
    }
    await until(() => a?.redis.isUp === true, 'Redis answers again');
  });
});
