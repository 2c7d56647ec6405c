import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startSimEngine } from '../../src/sim/index.ts';
import { startGatewayProcess } from '../support/gateway-process.ts';
import { meridian, MeridianProcess } from '../support/meridian-process.ts';
import { ADMIN_KEY, MODEL } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const REGION = 'gcp-us-east4';

/** Ends a process when the test is over. */
function ending(process: MeridianProcess): MeridianProcess {
  onTestFinished(async () => void (await process.end()));
  return process;
}

test('a fleet with certificates is set up, joined and guarded by the commands alone', { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-joining-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const write = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const authority = join(directory, 'ca');
  const made = await meridian(['ca', 'init', '--dir', authority]);
  expect([made.ended, made.stdout.trim().length]).toEqual([0, 43]);
  expect(statSync(join(authority, 'ca-key.pem')).mode & 0o777).toBe(0o600);
  expect((await meridian(['ca', 'init', '--dir', authority])).stderr).toContain('is there already');

  const gateway = await startGatewayProcess(
    write(
      'gateway.yaml',
      `gateway: { id: g1, region: ${REGION} }
listen: { public: { port: 0 }, admin: { port: 0 }, fleet: { port: 0, join: { authority_dir: ${authority} } } }
data_dir: ${join(directory, 'data')}
admin_key: ${ADMIN_KEY}
models: { ${MODEL}: {} }
drain: { readiness_ms: 0, streams_ms: 1000 }
`,
    ),
  );
  ending(gateway.process);
  const nodes = (...args: string[]): Promise<MeridianProcess> => meridian(['nodes', ...args], { MERIDIAN_ADMIN_URL: gateway.adminUrl, MERIDIAN_ADMIN_KEY: ADMIN_KEY });
  expect((await nodes('token', '--node', 'n1')).stderr).toContain('--region is missing');
  expect((await nodes('token', '--node', 'n1', '--region', REGION, '--models', MODEL, '--networks', 'ten')).stderr).toContain("'ten' is no address or network");
  const token = (await nodes('token', '--node', 'n1', '--region', REGION, '--models', MODEL, '--networks', '127.0.0.0/8')).stdout.trim();

  const engine = await startSimEngine({ model: MODEL, timeScale: 20 });
  onTestFinished(() => engine.close());
  const nodeConfig = (id: string, joining: string): string => write(`${id}.yaml`, `node: { id: ${id}, region: ${REGION} }
gateways: ['${gateway.fleetUrl}']
join: { ${joining}identity_file: ${join(directory, 'identity.json')} }
models: [${MODEL}]
listen: { port: 0 }
engine: { url: '${engine.url}' }
`);
  const unknown = await meridian(['node', '--config', nodeConfig('n1', '')]);
  expect([unknown.ended, unknown.stderr]).toEqual([1, expect.stringContaining('this node has not joined yet')]);
  const node = ending(new MeridianProcess(['node', '--config', nodeConfig('n1', `token: '\${TOKEN}', `)], { TOKEN: token }));
  const states = async (): Promise<unknown[]> => ((await gateway.admin('GET', '/admin/v1/fleet')).json['data'] as { state: string }[]).map(({ state }) => state);
  await until(async () => (await states()).includes('ready'), 'the node serves');
  expect(statSync(join(directory, 'identity.json')).mode & 0o777).toBe(0o600);
  expect((await nodes('list')).stdout).toMatch(/^n1 {2}joined .*from 127\.0\.0\.1$/m);
  const thief = await meridian(['node', '--config', nodeConfig('n2', `token: '\${TOKEN}', `)], { TOKEN: token });
  expect([thief.ended, thief.stderr]).toEqual([1, expect.stringContaining('was used from 127.0.0.1 already')]);

  expect((await nodes('revoke', 'n1')).stdout).toContain('n1 is revoked');
  await until(async () => (await states()).length === 0, 'it is cut off');
  await until(() => node.stdout.includes('the gateway refuses this node: it was revoked'), 'the node is told');
  expect((await nodes('list')).stdout).toMatch(/^n1 {2}revoked/m);
});
