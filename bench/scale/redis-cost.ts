import { performance } from 'node:perf_hooks';
import { RateLimiter, type LimitedScope, type Limiter } from '../../src/admission/index.ts';
import type { GatewayConfig } from '../../src/config/index.ts';
import { noLog, NO_LIMITS, systemClock } from '../../src/core/index.ts';
import { GuardedRedis, openRedis, SharedLimiter } from '../../src/redis/index.ts';
import { redisAt } from '../../test/support/redis-config.ts';
import type { RedisServer } from '../../test/support/redis-server.ts';
import { startSharedFleet, type SharedFleet } from '../../test/support/shared-fleet.ts';
import { percentile } from '../statistics.ts';
import { askOnce } from './fleet-load.ts';

export interface RedisFigures {
  /** What asking Redis for the limits of a request adds to it, beside counting in memory. */
  readonly enterP50Ms: number;
  readonly enterP99Ms: number;
  /** Whole requests, one after the other, at a gateway with Redis and at one without, in turn. */
  readonly withP50Ms: number;
  readonly withP99Ms: number;
  readonly withoutP50Ms: number;
  readonly withoutP99Ms: number;
  readonly deadP50Ms: number;
  readonly deadP99Ms: number;
  readonly hungP50Ms: number;
  readonly hungP99Ms: number;
  readonly refused: number;
}

const SCOPES: readonly LimitedScope[] = [
  { kind: 'key', id: 'key', limits: { ...NO_LIMITS, requestsPerMinute: 10_000_000 } },
  { kind: 'project', id: 'project', limits: { ...NO_LIMITS, tokensPerMinute: 1_000_000_000 } },
  { kind: 'organization', id: 'organization cost', limits: { requestsPerMinute: 10_000_000, tokensPerMinute: 1_000_000_000, concurrentRequests: 10_000_000 } },
];

/** What Redis adds to requests while it answers, is dead, and hangs. */
export async function redisFigures(server: RedisServer, postgresUrl: string, count: number): Promise<RedisFigures> {
  const [shared, memory] = [await enterMs(server, count), await timesOf(new RateLimiter(10), count)];
  const limits = { requests_per_minute: 1_000_000, tokens_per_minute: 1_000_000_000 };
  const fleet = await startSharedFleet({ gateways: 2, engines: 2, postgresUrl, redis: redisAt(server.url), config: (config, i) => (i === 0 ? config : withoutRedis(config)) });
  await fleet.admin(0)('POST', '/admin/v1/organizations/org_default', { limits });
  const healthy = await inTurn(fleet, count);
  await server.stop();
  const dead = await inTurn(fleet, count);
  await server.up();
  await settled(fleet);
  server.signal('SIGSTOP');
  const hung = await inTurn(fleet, count);
  server.signal('SIGCONT');
  await fleet.close();
  const added = (times: { readonly with: number[]; readonly without: number[] }, p: number): number => percentile(times.with, p) - percentile(times.without, p);
  return {
    enterP50Ms: percentile(shared, 0.5) - percentile(memory, 0.5),
    enterP99Ms: percentile(shared, 0.99) - percentile(memory, 0.99),
    withP50Ms: percentile(healthy.with, 0.5),
    withP99Ms: percentile(healthy.with, 0.99),
    withoutP50Ms: percentile(healthy.without, 0.5),
    withoutP99Ms: percentile(healthy.without, 0.99),
    deadP50Ms: added(dead, 0.5),
    deadP99Ms: added(dead, 0.99),
    hungP50Ms: added(hung, 0.5),
    hungP99Ms: added(hung, 0.99),
    refused: healthy.refused + dead.refused + hung.refused,
  };
}

function withoutRedis(config: GatewayConfig): GatewayConfig {
  const alone = { ...config };
  delete alone.redis;
  return alone;
}

async function enterMs(server: RedisServer, count: number): Promise<number[]> {
  const redis = new GuardedRedis({ client: await openRedis({ mode: 'single', urls: [server.url], keyPrefix: 'cost', commandMs: 1_000 }, noLog), clock: systemClock, log: noLog });
  const limiter = new SharedLimiter({ redis, keyPrefix: 'cost', gateway: 'g', leaseMs: 5_000, gateways: () => 1, scopesMax: 100, clock: systemClock, log: noLog });
  const times = await timesOf(limiter, count);
  limiter.close();
  redis.close();
  return times;
}

async function timesOf(limiter: Limiter, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count + 200; i += 1) {
    const startedMs = performance.now();
    const answer = await limiter.enter(SCOPES, 100, systemClock.now());
    if (i >= 200) times.push(performance.now() - startedMs);
    if (answer.kind === 'entered') answer.permit.release(systemClock.now());
  }
  return times;
}

/** One request at the gateway with Redis, one at the one without, and so on: whatever else the machine does hits both. */
async function inTurn({ gateways, apiKey }: SharedFleet, count: number): Promise<{ with: number[]; without: number[]; refused: number }> {
  const times = { with: [] as number[], without: [] as number[], refused: 0 };
  for (let i = 0; i < count; i += 1) {
    for (const [at, to] of [[0, times.with], [1, times.without]] as const) {
      const { status, ms } = await askOnce(String(gateways[at]?.publicUrl), apiKey);
      if (status === 200) to.push(ms);
      else times.refused += 1;
    }
  }
  return times;
}

async function settled({ gateways, apiKey }: SharedFleet): Promise<void> {
  while (gateways[0]?.shared?.redisParts?.redis.isUp !== true) await askOnce(String(gateways[0]?.publicUrl), apiKey);
}
