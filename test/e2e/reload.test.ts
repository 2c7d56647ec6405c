import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startSimEngine } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { startGatewayProcess, writeGatewayConfig } from '../support/gateway-process.ts';
import { freePort } from '../support/meridian-process.ts';
import { MODEL } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const PRICES = readFileSync('config/prices.yaml', 'utf8');

async function running() {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-reload-'));
  const engines = await Promise.all([1, 2].map((seed) => startSimEngine({ model: MODEL, timeScale: 20, seed })));
  const prices = join(directory, 'prices.yaml');
  writeFileSync(prices, PRICES);
  const replica = (i: number): string => `{ id: engine-${i + 1}, url: '${engines[i]?.url}', region: gcp-us-east4, models: [${MODEL}], engine: sglang, poll_ms: 50 }`;
  const fleetPort = await freePort();
  const write = (more: string, replicas = [0]): string => writeGatewayConfig(directory, fleetPort, `prices_file: ${prices}\nreplicas: [${replicas.map(replica).join(', ')}]\n${more}`);
  const gateway = await startGatewayProcess(write(''));
  onTestFinished(async () => {
    await gateway.process.end();
    await Promise.all(engines.map((engine) => engine.close()));
    rmSync(directory, { recursive: true });
  });
  const apiKey = String((await gateway.admin('POST', '/admin/v1/keys', { name: 'test' })).json['key']);
  const ask = (more: object = {}): Asking => new Asking({ publicUrl: gateway.publicUrl, apiKey }, { model: MODEL, max_tokens: 5, messages: [{ role: 'user', content: 'Hi' }], ...more });
  await until(async () => (await ask().over()).status === 200, 'requests are answered');
  return { gateway, write, ask, prices, reload: () => gateway.admin('POST', '/admin/v1/config/reload') };
}

test('a configuration that is read again holds for the next request, and streams under way go on', async () => {
  const { gateway, write, ask, reload } = await running();
  const stream = ask({ stream: true, max_tokens: 3_000, ignore_eos: true });
  await until(() => stream.bytes > 2_000, 'the stream flows');
  expect((await ask().over()).headers['x-meridian-replica']).toBe('engine-1');
  write(`routing_headers: { expose_replica: false }\naliases: { chat: { versions: [{ model: ${MODEL}, weight: 1 }] } }\nlisten2: {}`);
  expect(await reload()).toMatchObject({ status: 400, json: { error: { message: expect.stringContaining('listen2') as string } } });
  write(`routing_headers: { expose_replica: false }\naliases: { chat: { versions: [{ model: ${MODEL}, weight: 1 }] } }\nlimits: { in_flight_max: 77 }`, [1]);
  expect(await reload()).toMatchObject({ status: 200, json: { applied: ['aliases', 'replicas', 'routing_headers'], needs_restart: ['limits.in_flight_max'] } });
  expect((await ask({ model: 'chat' }).over()).headers['x-meridian-replica']).toBeUndefined();
  const fleet = (await gateway.admin('GET', '/admin/v1/fleet')).json['data'] as { id: string }[];
  expect(fleet.map(({ id }) => id)).toEqual(['engine-2']);
  expect((await stream.over()).isDone).toBe(true);
  expect((await gateway.admin('GET', '/v1/organization/audit_logs?limit=1')).json['data']).toMatchObject([{ type: 'config.reloaded' }]);
});

test('SIGHUP has it read again too, and a faulty one changes nothing', async () => {
  const { gateway, write, ask } = await running();
  write('timeouts: { total_ms: -5 }');
  process.kill(gateway.process.pid, 'SIGHUP');
  await gateway.process.prints('the configuration could not be read again');
  expect((await ask().over()).status).toBe(200);
  write('telemetry: { log_requests: all }');
  process.kill(gateway.process.pid, 'SIGHUP');
  await gateway.process.prints('"the configuration was read again"');
  const { requestId } = await ask().over();
  await gateway.process.prints(requestId);
});

test('prices may be added to the file, and none that has been in force may change', async () => {
  const { gateway, ask, prices, reload } = await running();
  const rows = async (): Promise<number> => ((await gateway.admin('GET', '/admin/v1/prices?limit=1000')).json['data'] as object[]).length;
  const before = await rows();
  writeFileSync(prices, PRICES.replace('input: 560000000', 'input: 550000000'));
  expect(readFileSync(prices, 'utf8')).not.toBe(PRICES);
  expect(await reload()).toMatchObject({ status: 409, json: { error: { message: expect.stringContaining('which is past') as string } } });
  expect([await rows(), (await ask().over()).status]).toEqual([before, 200]);
  writeFileSync(prices, `${PRICES.replace("'2025-09-05T16:00:00Z', input_cached", "'2025-09-05T16:00:00Z', effective_to: '2090-01-01T00:00:00Z', input_cached")}  - { model: ${MODEL}, effective_from: '2090-01-01T00:00:00Z', input_cached: 1, input: 2, output: 3 }\n`);
  expect((await reload()).status).toBe(200);
  expect(await rows()).toBe(before + 1);
});
