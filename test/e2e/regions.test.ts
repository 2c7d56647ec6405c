import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpenAI } from 'openai';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openPostgresLedger } from '../../src/billing/index.ts';
import { noLog, seededRng, systemClock } from '../../src/core/index.ts';
import { startNodeDaemon } from '../../src/node/index.ts';
import { startSimEngine } from '../../src/sim/index.ts';
import { deriveKey } from '../../src/store/index.ts';
import { FaultProxy } from '../chaos/fault-proxy.ts';
import { MeridianProcess } from '../support/meridian-process.ts';
import { hasPostgres, PostgresServer } from '../support/postgres-server.ts';
import { hasRedis, RedisServer } from '../support/redis-server.ts';
import { hasNetworks, RegionNetwork } from '../support/region-network.ts';
import { ADMIN_KEY, adminOf, FLEET_TOKEN, MODEL, nodeOptions } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const REGIONS = ['fra', 'lon', 'iad', 'pdx'];
const WORLD = { clock: systemClock, rng: seededRng(1), log: noLog };
const BODY = { model: MODEL, max_tokens: 10, messages: [{ role: 'user' as const, content: 'Which region is this?' }] };
const CUT = [2, 3];

describe.skipIf(!hasPostgres || !hasRedis || !hasNetworks)('gateways in four regions, each in a network of its own, with a long way to what they share', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([PostgresServer.start(), RedisServer.start()]);
  });
  afterAll(async () => {
    await Promise.all([postgres.close(), redis.close()]);
  });

  async function started() {
    const directory = mkdtempSync(join(tmpdir(), 'meridian-regions-'));
    const url = await postgres.database();
    const networks = REGIONS.map(() => new RegionNetwork());
    onTestFinished(() => {
      for (const network of networks) network.close();
      rmSync(directory, { recursive: true });
    });
    const regions = await Promise.all(
      networks.map(async (network, i) => {
        const lines = {
          postgres: await FaultProxy.start({ host: '127.0.0.1', port: postgres.port }, WORLD, 0, network.outside),
          redis: await FaultProxy.start({ host: '127.0.0.1', port: redis.port }, WORLD, 0, network.outside),
        };
        for (const line of Object.values(lines)) for (const way of ['up', 'down'] as const) line.set(way, { latencyMs: 5, jitterMs: 3 });
        onTestFinished(async () => {
          await Promise.all(Object.values(lines).map((line) => line.close()));
        });
        const at = `host: ${network.inside}`;
        const file = join(directory, `${REGIONS[i]}.yaml`);
        writeFileSync(
          file,
          `
gateway: { id: ${REGIONS[i]}, region: ${REGIONS[i]} }
listen: { public: { ${at}, port: 8080 }, admin: { ${at}, port: 8081 }, fleet: { ${at}, port: 8082, token: ${FLEET_TOKEN} } }
data_dir: ${join(directory, String(REGIONS[i]))}
secrets_file: ${join(directory, 'secrets.json')}
admin_key: ${ADMIN_KEY}
models: { ${MODEL}: {} }
overload: { standard: { delay_ms: 600000, heap_share: 1 } }
drain: { readiness_ms: 0, streams_ms: 5000 }
postgres: { url: '${url.replace(`127.0.0.1:${postgres.port}`, `${network.outside}:${lines.postgres.port}`)}', statement_ms: 2000 }
redis: { urls: ['redis://${network.outside}:${lines.redis.port}'], command_ms: 100 }
sharing: { beat_ms: 200, member_lease_ms: 1500 }
`,
        );
        return { network, lines, file };
      }),
    );
    const gateways: MeridianProcess[] = [];
    // The first one makes the tables.
    for (const { file, network } of regions) {
      const gateway = new MeridianProcess(['gateway', '--config', file], {}, network.through);
      onTestFinished(async () => {
        if (gateway.ended === null) await gateway.end('SIGKILL');
      });
      await gateway.prints('gateway is up', 60_000);
      gateways.push(gateway);
    }
    const engines = await Promise.all([1, 2].map((seed) => startSimEngine({ model: MODEL, timeScale: 20, seed })));
    // Each node dials one gateway, and is told of the others.
    const daemons = await Promise.all(engines.map(({ url: engine }, i) => startNodeDaemon(nodeOptions(`node-${i}`, String(REGIONS[i]), engine, `ws://${regions[i]?.network.inside}:8082/link`), WORLD)));
    onTestFinished(async () => {
      await Promise.all(daemons.map((daemon) => daemon.close()));
      await Promise.all(engines.map((engine) => engine.close()));
    });
    const admin = (i: number) => adminOf(`http://${regions[i]?.network.inside}:8081`);
    const isReady = async (i: number): Promise<boolean> => ((await admin(i)('GET', '/admin/v1/fleet')).json['data'] as { state: string }[]).filter(({ state }) => state === 'ready').length === engines.length;
    await until(async () => (await Promise.all(REGIONS.map((_, i) => isReady(i)))).every(Boolean), 'every node is linked to every gateway', 60_000);
    return { url, directory, regions, gateways, admin };
  }

  test('go on while a partition cuts two of them off, and charge everything once and no budget beyond its end when it heals', { timeout: 240_000 }, async () => {
    const { url, directory, regions, gateways, admin } = await started();
    const apiKey = String((await admin(0)('POST', '/admin/v1/keys', { name: 'test' })).json['key']);
    const { json: budget } = await admin(1)('POST', '/admin/v1/budgets', { organization: 'org_default', amount_usd: '0.008', period: 'total' });
    let isOver = false;
    const answered = REGIONS.map(() => 0);
    const refused: string[] = [];
    const load = Promise.all(
      REGIONS.flatMap((_, i) =>
        Array.from({ length: 3 }, async () => {
          const client = new OpenAI({ baseURL: `http://${regions[i]?.network.inside}:8080/v1`, apiKey, maxRetries: 0, timeout: 20_000 });
          while (!isOver) {
            await client.chat.completions.create(BODY).then(
              () => (answered[i] = (answered[i] ?? 0) + 1),
              (error: { code?: unknown; message?: unknown }) => refused.push(String(error.code ?? error.message)),
            );
          }
        }),
      ),
    );
    await until(() => answered.every((count) => count > 10), 'requests are answered everywhere', 40_000);
    for (const i of CUT) for (const line of Object.values(regions[i]?.lines ?? {})) {
      line.ignore(true);
      line.breakAll('stall', 'up');
      line.breakAll('stall', 'down');
    }
    const atCut = [...answered];
    // One that is cut off goes on with what it has set aside, however little that is just then.
    await until(() => answered.every((count, i) => count > (atCut[i] ?? 0) + (CUT.includes(i) ? 0 : 20)), 'requests are answered on both sides of the cut', 40_000);
    // What was on its way arrives now, late.
    for (const i of CUT) for (const line of Object.values(regions[i]?.lines ?? {})) await line.heal();
    const left = async (): Promise<number> => Number(budget['amount_usd']) - Number((await admin(0)('GET', `/admin/v1/budgets/${String(budget['id'])}`)).json['spent_usd']);
    await until(async () => refused.filter((code) => code === 'insufficient_quota').length > 20 || (await left()) < 0.0005, 'the budget is used up', 80_000);
    isOver = true;
    await load;
    // What is refused is refused for the budget's sake, or because it could not be looked at during the cut.
    expect(refused.filter((code) => !['insufficient_quota', 'overloaded'].includes(code))).toEqual([]);
    for (const gateway of gateways) expect(await gateway.end('SIGTERM')).toBe(0);
    const total = answered.reduce((sum, one) => sum + one, 0);
    expect(await postgres.query(url, "SELECT count(*)::int AS count FROM events WHERE kind = 'request'")).toEqual([{ count: total }]);
    const [spent] = await postgres.query(url, "SELECT sum(amount)::text AS amount FROM balances WHERE account = 'unbilled'");
    expect(Number(spent?.['amount']) / 1e15).toBeLessThanOrEqual(0.008);
    const { keyPepper } = JSON.parse(readFileSync(join(directory, 'secrets.json'), 'utf8')) as { keyPepper: string };
    const ledger = await openPostgresLedger({ url, sealKey: deriveKey(Buffer.from(keyPepper, 'hex'), 'ledger seals') });
    expect(await ledger.faults()).toEqual([]);
    await ledger.close();
  });

  test('row 20: lose nothing acknowledged when one of them is killed under load, and book what it had when it is back', { timeout: 240_000 }, async () => {
    const { url, regions, gateways, admin } = await started();
    const apiKey = String((await admin(0)('POST', '/admin/v1/keys', { name: 'test' })).json['key']);
    await admin(1)('POST', '/admin/v1/budgets', { organization: 'org_default', amount_usd: '5', period: 'total' });
    let isOver = false;
    let [answered, broken] = [0, 0];
    const load = Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        const client = new OpenAI({ baseURL: `http://${regions[i % 4]?.network.inside}:8080/v1`, apiKey, maxRetries: 0, timeout: 20_000 });
        while (!isOver) {
          await client.chat.completions.create(BODY).then(
            () => (answered += 1),
            () => (broken += 1),
          );
          if (broken > 0 && i % 4 === 0) return;
        }
      }),
    );
    await until(() => answered > 60, 'requests are answered', 40_000);
    await gateways[0]?.end('SIGKILL');
    const atKill = answered;
    await until(() => answered > atKill + 60, 'the others go on', 40_000);
    isOver = true;
    await load;
    const back = new MeridianProcess(['gateway', '--config', String(regions[0]?.file)], {}, regions[0]?.network.through);
    onTestFinished(async () => void (back.ended === null && (await back.end('SIGKILL'))));
    await back.prints('gateway is up', 60_000);
    for (const gateway of [back, ...gateways.slice(1)]) expect(await gateway.end('SIGTERM')).toBe(0);
    const [row] = await postgres.query(url, "SELECT count(*)::int AS count, count(DISTINCT event_id)::int AS ids FROM events WHERE kind = 'request'");
    expect(row?.['count']).toBe(row?.['ids']);
    expect(Number(row?.['count'])).toBeGreaterThanOrEqual(answered);
    expect(Number(row?.['count'])).toBeLessThanOrEqual(answered + broken);
    expect(await postgres.query(url, 'SELECT * FROM allowances')).toEqual([]);
  });
});
