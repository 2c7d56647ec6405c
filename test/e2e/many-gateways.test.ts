import { OpenAI } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_LIMITS } from '../../src/core/index.ts';
import { hasPostgres, PostgresServer } from '../support/postgres-server.ts';
import { redisAt } from '../support/redis-config.ts';
import { hasRedis, RedisServer } from '../support/redis-server.ts';
import { startSharedFleet, type SharedFleet } from '../support/shared-fleet.ts';
import { MODEL } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const GATEWAYS = 4;
const BODY = { model: MODEL, max_tokens: 10, messages: [{ role: 'user' as const, content: 'How many of you are there?' }] };

describe.skipIf(!hasPostgres || !hasRedis)('several gateways on one database', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let fleet: SharedFleet;
  let url: string;
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([PostgresServer.start(), RedisServer.start()]);
    url = await postgres.database();
    fleet = await startSharedFleet({ gateways: GATEWAYS, engines: 2, postgresUrl: url, redis: redisAt(redis.url, { commandMs: 100 }) });
  });
  afterAll(async () => {
    await fleet.close();
    await Promise.all([postgres.close(), redis.close()]);
  });

  const clientAt = (gateway: number, apiKey: string): OpenAI => new OpenAI({ baseURL: String(fleet.gateways[gateway % GATEWAYS]?.publicUrl), apiKey, maxRetries: 0, timeout: 30_000 });

  /** Asks `count` times at once, at all gateways in turn; how many answers there were, and the codes of the refusals. */
  async function ask(apiKey: string, count: number): Promise<{ answered: number; refused: string[] }> {
    const all = await Promise.allSettled(Array.from({ length: count }, (_, i) => clientAt(i, apiKey).chat.completions.create(BODY)));
    return {
      answered: all.filter(({ status }) => status === 'fulfilled').length,
      refused: all.flatMap((one) => (one.status === 'rejected' ? [String((one.reason as { code?: unknown }).code ?? one.reason)] : [])),
    };
  }

  async function keyOf(organization: string, limits = NO_LIMITS): Promise<string> {
    return (await (fleet.gateways[0] as SharedFleet['gateways'][number]).keys.create({ name: organization, organization, limits })).secret;
  }

  /** Requests in the books, once all gateways have brought what they have. */
  async function booked(organization: string): Promise<number> {
    for (const { feed } of fleet.gateways) await feed.catchUp();
    const rows = await postgres.query(url, `SELECT count(*)::int AS count FROM events JOIN meters ON meters.id = events.meter WHERE organization = '${organization}' AND kind = 'request'`);
    return Number(rows[0]?.['count']);
  }

  test('hold one limit together: of a burst at all of them no request more gets in', async () => {
    const apiKey = await keyOf('org_limited', { ...NO_LIMITS, requestsPerMinute: 40 });
    const { answered, refused } = await ask(apiKey, 120);
    expect([answered, new Set(refused)]).toEqual([40, new Set(['rate_limit_exceeded'])]);
    expect(await booked('org_limited')).toBe(40);
  });

  test('never overdraw a budget in sum, and use it up to what the next request might cost', async () => {
    const apiKey = await keyOf('org_budget');
    const { json: budget } = await fleet.admin(1)('POST', '/admin/v1/budgets', { organization: 'org_budget', amount_usd: '0.003', period: 'total' });
    await until(() => fleet.gateways.every(({ spending }) => spending.bounds({ organization: 'org_budget', project: '', keyId: '' }, Date.now())), 'every gateway knows of the budget');
    const spent = async (): Promise<number> => {
      for (const { feed } of fleet.gateways) await feed.catchUp();
      return Number((await fleet.admin(2)('GET', `/admin/v1/budgets/${String(budget['id'])}`)).json['spent_usd']);
    };
    let answered = 0;
    await until(async () => {
      const round = await ask(apiKey, 40);
      answered += round.answered;
      expect(round.refused.filter((code) => code !== 'insufficient_quota')).toEqual([]);
      return round.answered === 0 && (await spent()) > 0.002;
    }, 'the budget is used up', 30_000);
    expect(await spent()).toBeLessThanOrEqual(0.003);
    expect(await booked('org_budget')).toBe(answered);
  });

  test('refuse a key that one of them revoked, within a second', async () => {
    const apiKey = await keyOf('org_revoked');
    expect((await ask(apiKey, GATEWAYS)).answered).toBe(GATEWAYS);
    const keys = (await fleet.admin(3)('GET', '/admin/v1/keys?limit=1000')).json['data'] as { id: string; organization: string }[];
    await fleet.admin(3)('DELETE', `/admin/v1/keys/${keys.find(({ organization }) => organization === 'org_revoked')?.id}`);
    await until(async () => (await ask(apiKey, GATEWAYS)).answered === 0, 'the key is dead everywhere');
  });

  test('know a price and a customer that another one made', async () => {
    await keyOf('org_customer');
    expect((await fleet.admin(0)('POST', '/admin/v1/customers/org_customer', { terms: 'prepaid' })).status).toBe(200);
    await until(() => fleet.gateways.every(({ spending }) => spending.hasCredit('org_customer')), 'every gateway knows that the customer pays ahead');
    expect((await fleet.admin(1)('GET', '/admin/v1/customers/org_customer')).json).toMatchObject({ terms: 'prepaid' });
    const from = new Date(Date.now() + 86_400_000).toISOString();
    const price = { model: MODEL, effective_from: from, input: 1_000_000_000, input_cached: 100_000_000, output: 2_000_000_000 };
    expect((await fleet.admin(2)('POST', '/admin/v1/prices', price)).json).toMatchObject({ model: MODEL });
    await until(() => fleet.gateways.every(({ prices }) => prices.at(MODEL, 'standard', Date.parse(from))?.output === 2_000_000_000), 'every gateway goes by the new price');
  });

  test('row 28: serve on while Redis is dead, each within its share, and lose no record', async () => {
    const apiKey = await keyOf('org_redis_dead');
    const limited = await keyOf('org_redis_share', { ...NO_LIMITS, requestsPerMinute: 40 });
    await ask(apiKey, 8);
    await redis.stop();
    const under = await ask(apiKey, 60);
    expect(under).toEqual({ answered: 60, refused: [] });
    expect((await ask(limited, 120)).answered).toBeLessThanOrEqual(40);
    await redis.up();
    await until(() => fleet.gateways.every(({ shared }) => shared?.redisParts?.redis.isUp === true), 'every gateway has Redis again');
    expect((await ask(apiKey, 20)).answered).toBe(20);
    expect(await booked('org_redis_dead')).toBe(88);
  });

  test('row 29: serve on while Redis hangs', async () => {
    const apiKey = await keyOf('org_redis_hung', { ...NO_LIMITS, requestsPerMinute: 100_000 });
    await ask(apiKey, 4);
    redis.signal('SIGSTOP');
    const under = await ask(apiKey, 60);
    redis.signal('SIGCONT');
    expect(under).toEqual({ answered: 60, refused: [] });
    expect(await booked('org_redis_hung')).toBe(64);
  });

  test('row 30: serve on while PostgreSQL is dead, within what they have set aside, and book it all once it is back', async () => {
    const apiKey = await keyOf('org_postgres_dead');
    await fleet.admin(0)('POST', '/admin/v1/budgets', { organization: 'org_postgres_dead', amount_usd: '1', period: 'total' });
    await until(() => fleet.gateways.every(({ spending }) => spending.bounds({ organization: 'org_postgres_dead', project: '', keyId: '' }, Date.now())), 'every gateway knows of the budget');
    await ask(apiKey, 8);
    await postgres.stop('SIGQUIT');
    expect(await ask(apiKey, 60)).toEqual({ answered: 60, refused: [] });
    expect((await fleet.admin(0)('POST', '/admin/v1/keys', { name: 'not now' })).status).toBeGreaterThanOrEqual(500);
    await postgres.up();
    await until(async () => (await booked('org_postgres_dead').catch(() => 0)) === 68, 'everything is in the books');
    expect(await fleet.gateways[2]?.ledger.faults()).toEqual([]);
  });

  test('lose and double nothing when PostgreSQL is killed and comes back under load', async () => {
    const apiKey = await keyOf('org_restart');
    let { answered } = await ask(apiKey, 8);
    const load = (async () => {
      for (let i = 0; i < 6; i += 1) answered += (await ask(apiKey, 24)).answered;
    })();
    await postgres.stop('SIGQUIT');
    await postgres.up();
    await load;
    // A gateway that had to look the key up in that moment refuses it; what was answered is in the books, once.
    expect(answered).toBeGreaterThan(8);
    await until(async () => (await booked('org_restart').catch(() => 0)) >= answered, 'everything is in the books');
    expect(await booked('org_restart')).toBe(answered);
    expect(await fleet.gateways[1]?.ledger.faults()).toEqual([]);
  });
});
