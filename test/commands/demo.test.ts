import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { MeridianProcess } from '../support/meridian-process.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** As `npm start` has it, but that the simulated engines are faster. */
const CONFIG = readFileSync(join(ROOT, 'config', 'demo.yaml'), 'utf8').replace('time_scale: 1', 'time_scale: 20');

let directory: string;
let config: string;
let demo: MeridianProcess;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'meridian-demo-'));
  config = join(directory, 'fast.yaml');
  writeFileSync(config, CONFIG);
  demo = await startDemo();
  return async () => {
    await demo.end();
    rmSync(directory, { recursive: true });
  };
});

function demoIn(data: string, port: string): MeridianProcess {
  return new MeridianProcess(['demo', '--port', port, '--admin-port', '0', '--data', data, '--config', config]);
}

async function startDemo(): Promise<MeridianProcess> {
  return demoIn(directory, '0').prints('Ctrl-C stops everything');
}

function demoEnv(): Record<string, string> {
  const lines = readFileSync(join(directory, 'demo.env'), 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/** Its processes: itself, and one per region that it started. */
async function familyOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=']);
  const rows = stdout.trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return [pid, ...rows.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []))];
}

function areGone(pids: readonly number[]): boolean {
  return pids.every((pid) => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  });
}

/** The line or lines under a heading of what the demo printed, as they would be pasted. */
function printed(heading: string): string {
  const [, after = ''] = demo.stdout.split(`\n${heading}:\n\n`);
  return after.split('\n\n')[0] ?? '';
}

test('prints where it is, its key, and the fleet; and writes the same to demo.env for its owner alone', () => {
  const env = demoEnv();
  expect(Object.keys(env)).toEqual(['OPENAI_BASE_URL', 'OPENAI_API_KEY', 'MERIDIAN_ADMIN_URL', 'MERIDIAN_ADMIN_KEY']);
  for (const value of Object.values(env)) expect(demo.stdout).toContain(value);
  expect(env['OPENAI_BASE_URL']).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1$/);
  expect(demo.stdout).toMatch(/gcp-us-east4 +3 nodes/);
  expect(demo.stdout).toMatch(/aws-us-west-2 +3 nodes/);
  expect(demo.stdout).toMatch(/oci-uk-london +2 nodes/);
  expect(statSync(join(directory, 'demo.env')).mode & 0o777).toBe(0o600);
});

test('the curl line works when it is pasted into a shell', async () => {
  const { stdout } = await run('bash', ['-c', printed('curl')]);
  expect(stdout).toContain('"delta":');
  expect(stdout.endsWith('data: [DONE]\n\n')).toBe(true);
});

test('the Node.js lines work when they are saved as a module', async () => {
  const file = join(ROOT, 'node_modules', '.cache', `demo-lines-${process.pid}.mjs`);
  writeFileSync(file, printed('Node.js (npm install openai; as hello.mjs)'));
  const { stdout } = await run(process.execPath, [file]).finally(() => rmSync(file));
  expect(stdout.trim().length).toBeGreaterThan(10);
});

test('the usage line shows what was used', async () => {
  const { stdout } = await run('bash', ['-c', printed('What was used, newest first')]);
  const { data } = JSON.parse(stdout) as { data: { outcome: string; usage: { completion_tokens: number } }[] };
  expect(data.map(({ outcome }) => outcome)).toEqual(['completed', 'completed']);
});

test('Ctrl-C ends it with exit code 0 and leaves no process; the key works after a restart', { timeout: 30_000 }, async () => {
  const family = await familyOf(demo.pid);
  expect(family.length).toBe(4);
  const { OPENAI_API_KEY: key } = demoEnv();
  expect(await demo.end('SIGINT')).toBe(0);
  expect(areGone(family)).toBe(true);

  demo = await startDemo();
  const env = demoEnv();
  expect(env['OPENAI_API_KEY']).toBe(key);
  const models = await fetch(`${env['OPENAI_BASE_URL']}/models`, { headers: { authorization: `Bearer ${key}` } });
  expect(models.status).toBe(200);
});

test('a second demo in the same folder is refused, and the first one goes on', async () => {
  const second = demoIn(directory, '0');
  expect(await second.exited()).toBe(1);
  expect(second.stderr).toContain('is in use by another Meridian process');
  expect(second.stderr).not.toMatch(/^\s+at /m);
  expect((await fetch(`${demoEnv()['MERIDIAN_ADMIN_URL']}/readyz`)).status).toBe(200);
});

test('a port in use is named', async () => {
  const { port } = new URL(String(demoEnv()['OPENAI_BASE_URL']));
  const other = mkdtempSync(join(tmpdir(), 'meridian-demo-'));
  const second = demoIn(other, port);
  expect(await second.exited()).toBe(1);
  expect(second.stderr).toContain(`port ${port} on 127.0.0.1 is in use`);
  rmSync(other, { recursive: true });
});

test('a demo that is killed outright leaves no process either', async () => {
  const family = await familyOf(demo.pid);
  expect(family.length).toBe(4);
  await demo.end('SIGKILL');
  await until(() => areGone(family), 'its regions are gone');
});
