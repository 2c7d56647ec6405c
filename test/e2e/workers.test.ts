import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startGateway } from '../../src/app.ts';
import { openJournal } from '../../src/billing/index.ts';
import { noLog, seededRng, systemClock } from '../../src/core/index.ts';
import { startNodeDaemon } from '../../src/node/index.ts';
import { startSimEngine } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { MeridianProcess } from '../support/meridian-process.ts';
import { ADMIN_KEY, adminOf, baseConfig, FLEET_TOKEN, MODEL, nodeOptions } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const WORKERS = 2;
const SLOTS = WORKERS + 1;
const world = { clock: systemClock, rng: seededRng(1), log: noLog };

/** A first port such that so many in a row from there were free a moment ago. */
async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = await portOf(0);
    const rest = await Promise.allSettled(Array.from({ length: count }, (_, i) => portOf(Number(first) + i)));
    if (rest.every(({ status }) => status === 'fulfilled')) return first;
  }
}

function portOf(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const { port: taken } = server.address() as AddressInfo;
      server.close(() => resolve(taken));
    });
  });
}

/** Makes an API key that is known in every slot: these workers have no database that they share. */
async function knownInAll(dataDir: string): Promise<string> {
  const gateway = await startGateway({ ...baseConfig(dataDir), listen: { public: { host: '127.0.0.1', port: 0 }, admin: { host: '127.0.0.1', port: 0 } } }, world);
  const { secret } = await gateway.keys.create({ name: 'test' });
  await gateway.close();
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const directory = join(dataDir, `worker-${slot}`);
    mkdirSync(directory, { mode: 0o700 });
    for (const file of ['accounts.sqlite', 'secrets.json']) cpSync(join(dataDir, file), join(directory, file));
  }
  return secret;
}

/** Asks over connections that are kept, and tries nothing again; the status and the text. */
async function askKept(publicUrl: string, apiKey: string, body: object): Promise<string> {
  const answer = await fetch(`${publicUrl}/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return answer.status === 200 && (await answer.json()) !== null ? 'ok' : `${answer.status}`;
}

test('gateways as workers on one port are replaced one after the other under load: nothing is refused, fails or is cut, and each answer is in a journal', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-workers-'));
  const dataDir = join(directory, 'data');
  const file = join(directory, 'gateway.yaml');
  const apiKey = await knownInAll(dataDir);
  const fleetPort = await freePorts(SLOTS);
  writeFileSync(file, `
gateway: { id: pool, region: gcp-us-east4 }
listen:
  public: { port: 0 }
  admin: { port: 0 }
  fleet: { port: ${fleetPort}, token: ${FLEET_TOKEN} }
data_dir: ${dataDir}
admin_key: ${ADMIN_KEY}
models: { ${MODEL}: {} }
link: { dead_ms: 20000 }
drain: { readiness_ms: 0, streams_ms: 20000 }
overload: { critical: { delay_ms: 600000, heap_share: 1 }, standard: { delay_ms: 600000, heap_share: 1 }, batch: { delay_ms: 600000, heap_share: 1 } }
`);
  const engine = await startSimEngine({ model: MODEL, timeScale: 20, seed: 1 });
  // It knows of one gateway, which tells it of the others.
  const daemon = await startNodeDaemon(nodeOptions('n1', 'gcp-us-east4', engine.url, `ws://127.0.0.1:${fleetPort}/`), world);
  const pool = new MeridianProcess([file, String(WORKERS), '../../src/commands/gateway-worker.ts'], {}, 'test/commands/pool-program.ts');
  onTestFinished(async () => {
    await pool.end('SIGKILL');
    await daemon.close();
    await engine.close();
    rmSync(directory, { recursive: true, force: true });
  });
  await pool.prints('gateway is up');
  const { publicUrl, adminUrls } = pool.logged.find(({ message }) => message === 'gateway is up') ?? {};
  const asked = { publicUrl: String(publicUrl), apiKey };
  for (const adminUrl of adminUrls as string[]) await until(async () => (await fetch(`${adminUrl}/readyz`)).ok, 'the node is linked to every worker');

  const body = { model: MODEL, max_tokens: 20, ignore_eos: true, messages: [{ role: 'user', content: 'Tell me of the wind' }] };
  const failures: string[] = [];
  let acknowledged = 0;
  let isOver = false;
  const noted = (what: string): void => void (what === 'ok' ? (acknowledged += 1) : failures.push(what));
  const lanes = [
    ...Array.from({ length: 3 }, async () => {
      while (!isOver) {
        const { isAcknowledged, status, text } = await new Asking(asked, { ...body, stream: true, max_tokens: 400 }).over();
        noted(isAcknowledged ? 'ok' : `stream ${status} ${text.slice(-300)}`);
      }
    }),
    ...Array.from({ length: 3 }, async () => {
      while (!isOver) noted(await askKept(asked.publicUrl, apiKey, body).catch((error: unknown) => String(Reflect.get(Object(error), 'cause') ?? error)));
    }),
  ];
  await until(() => acknowledged > 50, 'there is load');
  // A stream that is long under way when its worker is told to go.
  const long = new Asking(asked, { ...body, stream: true, max_tokens: 1_500 });
  await until(() => long.bytes > 1_000, 'a long stream flows');
  pool.signal('SIGUSR2');
  // One wait for each step: a busy machine takes its time for all of them.
  const replacing = (): number => pool.logged.filter(({ message }) => message === 'a worker is being replaced').length;
  const isOverOrStopped = (): boolean => pool.ended !== null || pool.stdout.includes('all workers are replaced') || pool.stdout.includes('has stopped');
  for (let worker = 1; worker <= WORKERS; worker += 1) await until(() => replacing() === worker || isOverOrStopped(), `worker ${worker} is being replaced`);
  await until(() => isOverOrStopped(), 'all are replaced');
  expect(pool.stdout).toContain('all workers are replaced');
  const before = acknowledged;
  await until(() => acknowledged > before + 50, 'the new ones serve');
  isOver = true;
  await Promise.all(lanes);
  expect((await long.over()).isAcknowledged).toBe(true);
  expect(failures).toEqual([]);
  expect(await pool.end('SIGTERM')).toBe(0);

  const requests = await Promise.all(Array.from({ length: SLOTS }, (_, slot) => requestsIn(join(dataDir, `worker-${slot}`))));
  expect(requests.reduce((sum, one) => sum + one, 0)).toBe(acknowledged + 1);
  expect(Math.min(...requests), 'every slot has served').toBeGreaterThan(0);
  expect((await adminOf(String((adminUrls as string[])[0]))('GET', '/admin/v1/fleet').catch(() => null)), 'nobody is left').toBeNull();
});

async function requestsIn(directory: string): Promise<number> {
  const journal = await openJournal({ path: join(directory, 'journal.sqlite'), groupCommitMs: 1, streamGroupCommitMs: 1, clock: systemClock, log: noLog });
  const { requests } = await journal.totals();
  await journal.close();
  return requests;
}
