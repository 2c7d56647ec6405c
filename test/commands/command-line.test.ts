import { createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { VERSION } from '../../src/version.ts';
import { startGatewayProcess, writeGatewayConfig } from '../support/gateway-process.ts';
import { meridian } from '../support/meridian-process.ts';

const COMMANDS = ['demo', 'gateway', 'node', 'sim-engine', 'keys', 'nodes', 'ca', 'audit', 'invoice', 'reconcile', 'prices', 'config', 'openapi'];

const directory = mkdtempSync(join(tmpdir(), 'meridian-commands-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('meridian', () => {
  test('--help lists every command, and --version tells the version', async () => {
    const [help, version] = await Promise.all([meridian(['--help']), meridian(['--version'])]);
    for (const command of COMMANDS) expect(help.stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    expect([help.ended, version.ended]).toEqual([0, 0]);
    expect(version.stdout).toBe(`${VERSION}\n`);
  });

  test('COMMAND --help tells its usage and its options', async () => {
    const helps = await Promise.all(COMMANDS.map((command) => meridian([command, '--help'])));
    for (const [i, { ended, stdout, stderr }] of helps.entries()) {
      expect(ended).toBe(0);
      expect(stderr).toBe('');
      expect(stdout).toContain(`usage: meridian ${COMMANDS[i]}`);
      expect(stdout).toContain('--help');
    }
  });

  test.each([
    ['no command', [], ''],
    ['an unknown command', ['serve'], "there is no command 'serve'"],
    ['an unknown option', ['gateway', '--prot', '1'], '--prot'],
    ['a missing option', ['gateway'], '--config FILE is missing'],
    ['a port that is none', ['demo', '--port', '99999'], '--port takes a port from 0 to 65535'],
    ['a missing file', ['node', '--config', '/nowhere.yaml'], 'there is no such file'],
    ['a plan over other GPUs than there are', ['node', 'plan', '--count', '4', '--parallel', 'tp8'], 'say tp4'],
    ['a plan in no number of sequences', ['node', 'plan', '--concurrency', '1.5'], '--concurrency takes a whole number'],
  ])('ends with exit code 2 and says why on %s', async (_what, args, why) => {
    const { ended, stderr } = await meridian(args);
    expect(ended).toBe(2);
    expect(stderr).toContain(why);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('meridian node plan', () => {
  test('tells what fits as text and as JSON, and ends with exit code 0', async () => {
    const [text, json] = await Promise.all([meridian(['node', 'plan']), meridian(['node', 'plan', '--parallel', 'dp8', '--json'])]);
    expect([text.ended, json.ended]).toEqual([0, 0]);
    for (const shown of ['8 × NVIDIA H200 SXM', '█', '▒', 'KV pool of the node', '--model-path deepseek-ai/DeepSeek-V3', 'data sheet']) expect(text.stdout).toContain(shown);
    expect(JSON.parse(json.stdout)).toMatchObject({ fits: true, parallel: 'dp8', fits_instead: [], launch: { command: expect.arrayContaining(['--enable-dp-attention']) } });
  });

  test('says why a model does not fit and what would, and ends with exit code 1', async () => {
    const { ended, stdout } = await meridian(['node', 'plan', '--gpu', 'h100']);
    expect(ended).toBe(1);
    expect(stdout).toContain('the weights take 86.1 GB of each GPU, and of its 80.0 GB there are 68.0 GB');
    expect(stdout).toContain('What would fit: 16 × h100, 8 × h200');
  });
});

describe('meridian config check', () => {
  test('tells every fault of a file at once, with its line, and ends with exit code 2', async () => {
    const file = join(directory, 'faulty.yaml');
    writeFileSync(file, 'gateway: { id: g, region: r }\nadmin_key: tiny-secret\nlisten: { public: { port: 70000 } }\nmodels: { m: {} }\nretrys: {}\n');
    const { ended, stderr } = await meridian(['config', 'check', file]);
    expect(ended).toBe(2);
    expect(stderr).toMatch(/2.*admin_key/);
    expect(stderr).toMatch(/3.*listen\.public\.port/);
    expect(stderr).toMatch(/5.*retrys.*retries/);
    expect(stderr).not.toContain('tiny-secret');
  });

  test.each(['gateway', 'node', 'demo'])('finds no fault in config/%s.yaml', async (name) => {
    const env = {
      MERIDIAN_ADMIN_KEY: 'an-admin-key-for-this-test',
      MERIDIAN_FLEET_TOKEN: 'a-fleet-token-for-this-test',
      MERIDIAN_NODE_ID: 'n1',
      MERIDIAN_REGION: 'here',
    };
    const { ended, stdout } = await meridian(['config', 'check', `config/${name}.yaml`], env);
    expect(stdout).toBe(`config/${name}.yaml: no faults\n`);
    expect(ended).toBe(0);
  });
});

describe('meridian prices', () => {
  test('finds no fault in the book that comes with the project, and tells its price at an instant', async () => {
    const [checked, told] = await Promise.all([
      meridian(['prices', 'check', 'config/prices.yaml']),
      meridian(['prices', 'at', '2025-03-01T00:29:59.999Z', '--model', 'deepseek-v3']),
    ]);
    expect(checked).toMatchObject({ ended: 0, stdout: 'config/prices.yaml: 5 rows, no overlap and no gap\n' });
    expect(told).toMatchObject({ ended: 0, stdout: 'input $0.135  input_cached $0.035  output $0.55  per million tokens\n' });
  });

  test('tells every overlap and gap, and prices nothing by a book that says two prices', async () => {
    const file = join(directory, 'prices.yaml');
    const row = (from: string, to: string): string => `  - { model: m, effective_from: "${from}", effective_to: "${to}", input: 1, input_cached: 1, output: 1 }\n`;
    writeFileSync(file, `prices:\n${row('2025-01-01T00:00Z', '2025-07-01T00:00Z')}${row('2025-06-01T00:00Z', '2025-08-01T00:00Z')}${row('2025-09-01T00:00Z', '2025-10-01T00:00Z')}`);
    const [checked, told] = await Promise.all([meridian(['prices', 'check', file]), meridian(['prices', 'at', '2025-02-01T00:00Z', '--model', 'm', '--file', file])]);
    expect([checked.ended, told.ended]).toEqual([2, 2]);
    expect(checked.stderr).toContain('overlap: prices[1] overlaps prices[0] from 2025-06-01T00:00:00.000Z to 2025-07-01T00:00:00.000Z');
    expect(checked.stderr).toContain('gap: prices[1] leaves m (standard) with no price from 2025-08-01T00:00:00.000Z to 2025-09-01T00:00:00.000Z');
    expect(told).toMatchObject({ stdout: '', stderr: expect.stringContaining('overlap') });
  });

  test('takes no time without its zone', async () => {
    const { ended, stderr } = await meridian(['prices', 'at', '2025-03-01T00:30:00', '--model', 'deepseek-v3']);
    expect(ended).toBe(2);
    expect(stderr).toContain('no instant with its zone');
  });
});

describe('meridian sim-engine and meridian node', () => {
  test('name the port that is in use, and end with exit code 1', async () => {
    const port = await heldPort();
    const node = nodeConfig(port, 'http://127.0.0.1:30000');
    for (const args of [['sim-engine', '--port', String(port)], ['node', '--config', node]]) {
      const { ended, stderr } = await meridian(args);
      expect(ended).toBe(1);
      expect(stderr).toContain(`port ${port} on 127.0.0.1 is in use`);
      expect(stderr).not.toMatch(/^\s+at /m);
    }
  });

  test('a node refuses an engine that is not on the loopback, with exit code 2', async () => {
    const { ended, stderr } = await meridian(['node', '--config', nodeConfig(0, 'http://10.0.0.9:30000')]);
    expect(ended).toBe(2);
    expect(stderr).toContain('must be on the loopback');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  function nodeConfig(port: number, engineUrl: string): string {
    const file = join(directory, 'node.yaml');
    const node = 'node: { id: n1, region: r }\nmodels: [m]\nweight_dtype: fp8\ncontext_tokens: 100\n';
    const rest = `gateways: ['ws://127.0.0.1:1']\ntoken: a-token-for-this-test\nlisten: { port: ${port} }\nengine: { kind: sglang, url: '${engineUrl}' }\n`;
    writeFileSync(file, node + rest);
    return file;
  }
});

describe('meridian gateway', () => {
  test('names the port that is in use, and ends with exit code 1', async () => {
    const port = await heldPort();
    const { ended, stderr } = await meridian(['gateway', '--config', writeGatewayConfig(directory, port)]);
    expect(ended).toBe(1);
    expect(stderr).toContain(`port ${port} on 127.0.0.1 is in use`);
    expect(stderr).toContain('listen.fleet');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test('says that another process has its data directory, and ends with exit code 1; the first one is unharmed', async () => {
    const config = writeGatewayConfig(directory, 0);
    const first = await startGatewayProcess(config);
    onTestFinished(async () => void (await first.process.end()));
    const { ended, stderr } = await meridian(['gateway', '--config', config]);
    expect(ended).toBe(1);
    expect(stderr).toContain(`${join(directory, 'data')} is in use by another Meridian process`);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect((await first.admin('GET', '/healthz')).status).toBe(200);
    expect(await first.process.end('SIGTERM')).toBe(0);
  });
});

/** A port that somebody listens at until the test is over. */
async function heldPort(): Promise<number> {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void holder.close());
  return (holder.address() as AddressInfo).port;
}
