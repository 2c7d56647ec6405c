/** `npm run bench:scale`: what it costs several gateways to share limits, budgets and books, and what an outage of what they share does. */
import { parseArgs } from 'node:util';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { goalTable, type Goal } from './goal.ts';
import { markdownTable } from './markdown-table.ts';
import { budgetFigures } from './scale/budgets.ts';
import { limitFigures } from './scale/limits.ts';
import { queryFigures } from './scale/queries.ts';
import { redisFigures } from './scale/redis-cost.ts';
import { shippingFigures } from './scale/shipping.ts';
import { workersFigures } from './scale/workers.ts';

const HELP = `npm run bench:scale -- [options]

  --only A,B   some of limits, budgets, redis, shipping, queries, workers
  --quick      fewer rounds and rows, for CI
`;
const PARTS = ['limits', 'budgets', 'redis', 'shipping', 'queries', 'workers'] as const;
const BAR_CHARS = 40;

const { values } = parseArgs({ options: { only: { type: 'string', default: PARTS.join(',') }, quick: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } });
const wanted = new Set(values.only.split(','));
const isQuick = values.quick;
const goals: Goal[] = [];

if (values.help) process.stdout.write(HELP);
else await measure();

async function measure(): Promise<void> {
  const [postgres, redis] = await Promise.all([PostgresServer.start(true), RedisServer.start()]);
  const parts: Readonly<Record<(typeof PARTS)[number], () => Promise<string[]>>> = {
    limits: () => limits(redis),
    budgets: () => budgets(postgres, redis),
    redis: () => redisCost(postgres, redis),
    shipping: () => shipping(postgres),
    queries: () => queries(postgres),
    workers: () => workers(postgres, redis),
  };
  try {
    for (const part of PARTS) {
      if (!wanted.has(part)) continue;
      told(part);
      process.stdout.write(`${(await parts[part]()).join('\n')}\n\n`);
    }
    process.stdout.write(`${goalTable(goals).join('\n')}\n`);
  } finally {
    await Promise.all([postgres.close(), redis.close()]);
  }
  if (goals.some(({ what, isMet }) => isMet === false && what.startsWith('exact:'))) process.exitCode = 1;
}

async function limits(redis: RedisServer): Promise<string[]> {
  const { rounds, limit, asked, overshootShare, enteredLeast } = await limitFigures(redis.url, isQuick ? 3 : 20);
  goals.push({ what: 'exact: a limit at 4 gateways under a burst: requests too many', bound: '≤ 1 %', reached: `${(100 * overshootShare).toFixed(2)} %`, isMet: overshootShare <= 0.01 && enteredLeast === limit });
  return [`${rounds} bursts of ${asked} requests at 4 gateways against a limit of ${limit}: ${(100 * overshootShare).toFixed(2)} % too many at the most, ${enteredLeast} let in at the least`];
}

async function budgets(postgres: PostgresServer, redis: RedisServer): Promise<string[]> {
  const { budgetUsd, spentUsd, requests, overshootUsd } = await budgetFigures(await postgres.database(), redis.url, isQuick ? 0.02 : 0.2);
  goals.push({ what: 'exact: a budget that 4 gateways spend at once: dollars too many', bound: '0', reached: overshootUsd.toFixed(9), isMet: overshootUsd === 0 });
  return [`a budget of $${budgetUsd} spent by 4 gateways at once: $${spentUsd} by ${requests} requests, ${((100 * spentUsd) / budgetUsd).toFixed(2)} % of it`];
}

async function redisCost(postgres: PostgresServer, redis: RedisServer): Promise<string[]> {
  const it = await redisFigures(redis, await postgres.database(), isQuick ? 300 : 3_000);
  goals.push({ what: 'Redis adds to a request, p50', bound: '≤ 0.5 ms', reached: `${it.enterP50Ms.toFixed(2)} ms`, isMet: it.enterP50Ms <= 0.5 });
  goals.push({ what: 'Redis is dead: added to a request, p99', bound: '≤ 5 ms', reached: `${it.deadP99Ms.toFixed(2)} ms`, isMet: it.deadP99Ms <= 5 });
  goals.push({ what: 'Redis hangs: added to a request, p99', bound: '≤ 50 ms', reached: `${it.hungP99Ms.toFixed(2)} ms`, isMet: it.hungP99Ms <= 50 });
  goals.push({ what: 'exact: requests refused while Redis was dead or hung', bound: '0', reached: String(it.refused), isMet: it.refused === 0 });
  const rows: [string, number, number][] = [
    ['asking for the limits of a request, beside memory', it.enterP50Ms, it.enterP99Ms],
    ['whole requests, without Redis', it.withoutP50Ms, it.withoutP99Ms],
    ['whole requests, with Redis', it.withP50Ms, it.withP99Ms],
    ['added while Redis is dead', it.deadP50Ms, it.deadP99Ms],
    ['added while Redis hangs', it.hungP50Ms, it.hungP99Ms],
  ];
  return markdownTable(['ms', 'p50', 'p99', ''], rows.map(([what, p50, p99]) => [what, p50.toFixed(2), p99.toFixed(2), bar(p50, 10)]));
}

async function shipping(postgres: PostgresServer): Promise<string[]> {
  const rows = isQuick ? 20_000 : 1_000_000;
  const it = await shippingFigures(await postgres.database(), rows, (done) => told(`${done} of ${rows} records`));
  goals.push({ what: 'exact: rows lost or doubled on their way into PostgreSQL', bound: '0', reached: String(it.lostOrDoubled), isMet: it.lostOrDoubled === 0 });
  return [`a backlog of ${it.rows} rows shipped into PostgreSQL in ${it.seconds.toFixed(1)} s: ${Math.round(it.rowsPerS)} rows per second`];
}

async function queries(postgres: PostgresServer): Promise<string[]> {
  const rows = isQuick ? 100_000 : 10_000_000;
  const figures = await queryFigures(await postgres.database(), rows, told);
  const longest = Math.max(...figures.map(({ p50Ms }) => p50Ms));
  return [`over ${rows} events in PostgreSQL:`, ...markdownTable(['ms', 'p50', 'p99', ''], figures.map(({ what, p50Ms, p99Ms }) => [what, p50Ms.toFixed(1), p99Ms.toFixed(1), bar(p50Ms, longest)]))];
}

async function workers(postgres: PostgresServer, redis: RedisServer): Promise<string[]> {
  const requests = isQuick ? 1_000 : 10_000;
  const one = await workersFigures(1, await postgres.database(), redis.url, requests);
  const two = await workersFigures(2, await postgres.database(), redis.url, requests);
  const ratio = two.requestsPerS / one.requestsPerS;
  // Clients, engine, Redis and PostgreSQL are on the same cores: there throughput says little, and CPU per request what each costs.
  goals.push({ what: '2 workers, against 1, on cores that the load shares: requests per second', bound: '≥ 1.8 × on cores of their own', reached: `${ratio.toFixed(2)} ×`, isMet: ratio >= 1.8 ? true : null });
  goals.push({ what: '2 workers, against 1: CPU per request', bound: '—', reached: `${(two.cpuUsPerRequest / one.cpuUsPerRequest).toFixed(2)} ×`, isMet: null });
  return markdownTable(['workers', 'requests/s', 'CPU µs per request', 'refused', ''], [one, two].map((it) => [String(it.workers), it.requestsPerS.toFixed(0), it.cpuUsPerRequest.toFixed(0), String(it.refused), bar(it.requestsPerS, Math.max(one.requestsPerS, two.requestsPerS))]));
}

function bar(value: number, most: number): string {
  return '█'.repeat(Math.max(0, Math.min(BAR_CHARS, Math.round((BAR_CHARS * value) / most))));
}

function told(what: string): void {
  process.stderr.write(`\r${what}${' '.repeat(30)}`);
}
