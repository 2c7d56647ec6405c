import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { noLog, seededRng, systemClock } from '../../src/core/index.ts';
import { startNodeDaemon } from '../../src/node/index.ts';
import { startSimEngine } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { startGatewayProcess, writeGatewayConfig, type GatewayProcess } from '../support/gateway-process.ts';
import { freePort } from '../support/meridian-process.ts';
import { MODEL, nodeOptions } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { allRecords, asUsage, engineTruth } from '../support/usage-truth.ts';

/** However busy the machine is, nothing is refused for it. */
const NEVER = '{ delay_ms: 600000, heap_share: 1 }';
const AT_ONCE = 40;
const KILLS = 2;
const ACKNOWLEDGED_BEFORE_KILL = 60;
const WORLD = { clock: systemClock, rng: seededRng(1), log: noLog };

test('row 20: a gateway killed under load loses no acknowledged answer, settles the open ones, and learns the truth from its nodes', { timeout: 40_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-kill-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const config = writeGatewayConfig(directory, await freePort(), `journal: { checkpoint_ms: 50 }\noverload: { critical: ${NEVER}, standard: ${NEVER}, batch: ${NEVER} }`);
  let gateway: GatewayProcess = await startGatewayProcess(config);
  const { fleetUrl } = gateway;
  onTestFinished(async () => void (await gateway.process.end()));
  const engines = await Promise.all([1, 2].map((seed) => startSimEngine({ model: MODEL, timeScale: 20, seed })));
  const daemons = await Promise.all(engines.map(({ url }, i) => startNodeDaemon(nodeOptions(`n${i}`, 'gcp-us-east4', url, fleetUrl), WORLD)));
  onTestFinished(async () => {
    await Promise.all(daemons.map((daemon) => daemon.close()));
    await Promise.all(engines.map((engine) => engine.close()));
  });
  const isReady = async (): Promise<boolean> => {
    const { json } = await gateway.admin('GET', '/admin/v1/fleet');
    const replicas = json['data'] as { state: string }[];
    return replicas.length === engines.length && replicas.every(({ state }) => state === 'ready');
  };
  await until(isReady, 'the fleet is ready');
  const apiKey = String((await gateway.admin('POST', '/admin/v1/keys', { name: 'test' })).json['key']);

  const asked: Asking[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    await underLoad(gateway.publicUrl, apiKey, asked, async (acknowledged) => {
      await until(() => acknowledged() >= ACKNOWLEDGED_BEFORE_KILL, 'answers were acknowledged');
      await gateway.process.end('SIGKILL');
    });
    gateway = await startGatewayProcess(config);
    await until(isReady, 'the fleet is ready again');
  }

  const truth = await engineTruth(engines);
  const countOf = (requestId: string) => [...truth.values()].filter(({ rid }) => rid.startsWith(requestId)).at(-1);
  await until(async () => {
    const interrupted = (await allRecords(gateway)).filter(({ outcome }) => outcome === 'interrupted');
    return interrupted.every(({ id, adjustments }) => countOf(id) === undefined || adjustments.length > 0);
  }, 'the nodes have told what they made of the interrupted requests');
  const records = await allRecords(gateway);
  const byId = new Map(records.map((record) => [record.id, record]));
  expect(byId.size, 'one record per request').toBe(records.length);

  const acknowledged = asked.filter(({ isAcknowledged }) => isAcknowledged);
  expect(acknowledged.length).toBeGreaterThanOrEqual(KILLS * ACKNOWLEDGED_BEFORE_KILL);
  for (const { requestId } of acknowledged) {
    expect(byId.get(requestId)).toMatchObject({ outcome: 'completed', usage: asUsage(countOf(requestId)) });
  }
  const interrupted = records.filter(({ outcome }) => outcome === 'interrupted');
  expect(interrupted.length).toBeGreaterThan(0);
  for (const { id, estimated, adjustments } of interrupted) {
    expect(estimated).toBe(true);
    expect(acknowledged.some(({ requestId }) => requestId === id)).toBe(false);
    if (countOf(id) !== undefined) expect(adjustments[0]?.usage).toMatchObject(asUsage(countOf(id)));
  }
  const { json: books } = await gateway.admin('GET', '/admin/v1/ledger/verification');
  expect(books).toMatchObject({ intact: true, faults: [] });
  const usage = await gateway.admin('GET', `/v1/organization/usage/completions?start_time=${Math.floor(Date.now() / 1_000) - 86_400}`);
  const buckets = usage.json['data'] as { results: { num_model_requests: number }[] }[];
  expect(buckets.flatMap(({ results }) => results).reduce((sum, { num_model_requests: requests }) => sum + requests, 0), 'each request is in the books once').toBe(records.length);
  expect((await new Asking({ publicUrl: gateway.publicUrl, apiKey }, body(0)).over()).status, 'the key still works').toBe(200);
});

/** Keeps `AT_ONCE` requests going until `act` is done; `act` is told how many of them were acknowledged. */
async function underLoad(publicUrl: string, apiKey: string, asked: Asking[], act: (acknowledged: () => number) => Promise<void>): Promise<void> {
  const mine: Asking[] = [];
  let isOver = false;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const asking = new Asking({ publicUrl, apiKey }, body(mine.length));
      mine.push(asking);
      await asking.over();
    }
  };
  const clients = Array.from({ length: AT_ONCE }, client);
  await act(() => mine.filter(({ isAcknowledged }) => isAcknowledged).length);
  isOver = true;
  await Promise.all(clients);
  asked.push(...mine);
}

/** Some short, some long, streamed and not. */
function body(i: number): object {
  return { model: MODEL, seed: i, stream: i % 3 !== 0, max_tokens: i % 4 === 0 ? 600 : 20, messages: [{ role: 'user', content: `Count to ${i}` }] };
}
