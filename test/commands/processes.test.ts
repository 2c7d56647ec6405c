import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Asking } from '../support/asking.ts';
import { startGatewayProcess, writeGatewayConfig, type GatewayProcess } from '../support/gateway-process.ts';
import { freePort, meridian, MeridianProcess } from '../support/meridian-process.ts';
import { ADMIN_KEY, FLEET_TOKEN, MODEL } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'meridian-processes-'));

let gateway: GatewayProcess;
let node: MeridianProcess;
let localPort: number;

/** A gateway, and a node daemon that runs a simulated engine as its child. */
beforeAll(async () => {
  gateway = await startGatewayProcess(writeGatewayConfig(directory, 0));
  localPort = await freePort();
  node = new MeridianProcess(['node', '--config', writeNodeConfig(gateway.fleetUrl, await freePort())], { TOKEN: FLEET_TOKEN });
  await until(async () => (await replicas()).some(({ state }) => state === 'ready'), 'the node is ready');
});
afterAll(async () => {
  await Promise.all([node.end(), gateway.process.end()]);
  rmSync(directory, { recursive: true });
});

function writeNodeConfig(fleetUrl: string, enginePort: number): string {
  const file = join(directory, 'node.yaml');
  const command = [process.execPath, 'src/main.ts', 'sim-engine', '--port', String(enginePort), '--model', MODEL, '--time-scale', '20'];
  const text = `
node: { id: n1, region: gcp-us-east4 }
gateways: ['${fleetUrl}']
token: '\${TOKEN}'
models: [${MODEL}]
weight_dtype: fp8
context_tokens: 163840
listen: { port: ${localPort} }
engine:
  kind: sglang
  url: http://127.0.0.1:${enginePort}
  command: ${JSON.stringify(command)}
`;
  writeFileSync(file, text);
  return file;
}

async function replicas(): Promise<{ state: string; node: string }[]> {
  return (await gateway.admin('GET', '/admin/v1/fleet')).json['data'] as { state: string; node: string }[];
}

const keys = (...args: string[]): Promise<MeridianProcess> =>
  meridian(['keys', ...args], { MERIDIAN_ADMIN_URL: gateway.adminUrl, MERIDIAN_ADMIN_KEY: ADMIN_KEY });

const ask = (apiKey: string): Promise<Asking> =>
  new Asking({ publicUrl: gateway.publicUrl, apiKey }, { model: MODEL, max_tokens: 5, messages: [{ role: 'user', content: 'Hi' }] }).over();

test('keys create makes a key that works, keys list shows it without its secret, keys revoke ends it', async () => {
  const created = await keys('create', '--name', 'from the command line');
  expect(created.ended).toBe(0);
  const secret = created.stdout.trim();
  expect(secret).toMatch(/^mk_live_\S+$/);
  expect((await ask(secret)).status).toBe(200);

  const id = /key_\w+/.exec(created.stderr)?.[0] ?? '';
  const listed = await keys('list');
  expect(listed.stdout).toMatch(new RegExp(`^${id} .*active .*from the command line$`, 'm'));
  expect(listed.stdout).not.toContain(secret);

  expect((await keys('revoke', id)).ended).toBe(0);
  expect((await ask(secret)).error?.['code']).toBe('invalid_api_key');
  expect((await keys('list')).stdout).toMatch(new RegExp(`^${id} .*revoked`, 'm'));
});

test('keys says what is wrong: no such key, no admin key, no gateway', async () => {
  const unknown = await keys('revoke', 'key_nobody');
  expect(unknown.ended).toBe(1);
  expect(unknown.stderr).toContain('key_nobody');
  const unset = await meridian(['keys', 'list'], { MERIDIAN_ADMIN_URL: gateway.adminUrl });
  expect(unset.ended).toBe(2);
  expect(unset.stderr).toContain('MERIDIAN_ADMIN_KEY');
  const nobody = await meridian(['keys', 'list', '--admin', `http://127.0.0.1:${await freePort()}`], { MERIDIAN_ADMIN_KEY: ADMIN_KEY });
  expect(nobody.ended).toBe(1);
  expect(nobody.stderr).toContain('no gateway answers at');
  expect(nobody.stderr).not.toMatch(/^\s+at /m);
});

test('a node tells how it stands at its local address, and leaves nothing behind when it is stopped', async () => {
  const status = (await (await fetch(`http://127.0.0.1:${localPort}/status`)).json()) as { engine: { pid: number }; state: string };
  expect(status.state).toBe('ready');
  expect(await node.end('SIGTERM')).toBe(0);
  expect(() => process.kill(status.engine.pid, 0), 'its engine is gone').toThrow('ESRCH');
  await until(async () => (await replicas()).length === 0, 'the gateway knows');
});

test('a gateway asked to stop ends with exit code 0', async () => {
  expect(await gateway.process.end('SIGINT')).toBe(0);
});
