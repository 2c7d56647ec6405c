import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HttpLoad, askOnce } from '../support/http-load.ts';
import { meridian, MeridianProcess } from '../support/meridian-process.ts';
import { until } from '../support/until.ts';

const CONFIG = `gateway: { id: pool, region: here }
listen: { public: { port: 0 }, admin: { port: 0 } }
admin_key: key-of-the-administrator
models: { deepseek-v3: {} }
replicas: [{ id: r, url: 'http://127.0.0.1:1', region: here, models: [deepseek-v3] }]
`;

interface Pool {
  readonly process: MeridianProcess;
  readonly url: string;
  readonly directory: string;
  readonly adminUrls: readonly string[];
}

function folder(): { readonly directory: string; readonly file: string } {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-workers-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'gateway.yaml');
  writeFileSync(file, `${CONFIG}data_dir: ${join(directory, 'data')}\n`);
  return { directory, file };
}

function supervised(file: string, workers: number): MeridianProcess {
  const process = new MeridianProcess([file, String(workers), './stand-in-worker.ts'], {}, 'test/commands/pool-program.ts');
  onTestFinished(async () => void (await process.end('SIGKILL')));
  return process;
}

async function startPool(workers = 2): Promise<Pool> {
  const { directory, file } = folder();
  const process = await supervised(file, workers).prints('gateway is up');
  const { publicUrl, adminUrls } = process.logged.find(({ message }) => message === 'gateway is up') ?? {};
  return { process, url: String(publicUrl).replace('/v1', ''), directory, adminUrls: adminUrls as string[] };
}

/** The slots that answer, each on a connection of its own. */
async function slotsOf({ url }: Pool, times = 40): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: times }, () => askOnce(url)));
  return [...new Set(answers)].toSorted();
}

describe('workers', () => {
  test('share one port, and connections are dealt out to all of them', async () => {
    const pool = await startPool(2);
    expect(await slotsOf(pool)).toEqual(['slot 0', 'slot 1']);
    expect(pool.adminUrls).toEqual(['admin-0', 'admin-1']);
    expect(existsSync(join(pool.directory, 'data', 'secrets.json')), 'the secrets are there before a worker could make its own').toBe(true);
  });

  test('end when their supervisor is asked to, and when it is killed', async () => {
    const asked = await startPool(2);
    expect(await asked.process.end('SIGTERM')).toBe(0);
    await until(() => askOnce(asked.url).then(() => false, () => true), 'nobody listens');
    const killed = await startPool(2);
    await killed.process.end('SIGKILL');
    await until(() => askOnce(killed.url).then(() => false, () => true), 'nobody listens');
  });

  test('that cannot start end their supervisor with the reason, once', async () => {
    const { directory, file } = folder();
    writeFileSync(join(directory, 'refuse-1'), '');
    const pool = supervised(file, 3);
    expect(await pool.exited()).toBe(1);
    expect(pool.stderr.match(/the stand-in refuses slot 1 of 4/g)).toHaveLength(1);
  });

  test('that die are started again, and meanwhile others listen at their seats: no connection waits', async () => {
    const pool = await startPool(2);
    // It is not given its seat back while it is not ready.
    const unready = [0, 1].map((slot) => join(pool.directory, `unready-${slot}`));
    for (const file of unready) writeFileSync(file, '');
    await expect(askOnce(`${pool.url}/die`)).rejects.toThrow('socket hang up');
    await pool.process.prints('a worker ended by itself');
    const { slot } = pool.process.logged.find(({ message }) => String(message).startsWith('a worker ended by itself')) ?? {};
    expect(await slotsOf(pool)).toEqual([`slot ${1 - Number(slot)}`]);
    for (const file of unready) rmSync(file);
    await pool.process.prints('serves again');
    expect(await slotsOf(pool)).toEqual(['slot 0', 'slot 1']);
  });

  test('read the configuration again on SIGHUP, all of them; a faulty file reaches none', async () => {
    const pool = await startPool(2);
    const file = join(pool.directory, 'gateway.yaml');
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, `${good}limits: { in_flight_max: many }\n`);
    pool.process.signal('SIGHUP');
    await pool.process.prints('the configuration is not taken');
    writeFileSync(file, good);
    pool.process.signal('SIGHUP');
    const reloads = (): string => (existsSync(join(pool.directory, 'reloads')) ? readFileSync(join(pool.directory, 'reloads'), 'utf8') : '');
    await until(() => reloads().length === 4, 'both have read it');
    expect(reloads().split('\n').filter(Boolean).toSorted()).toEqual(['0', '1']);
  });
});

describe('a rolling restart', () => {
  test('replaces every worker under load without a connection refused, a request failed or a stream cut', async () => {
    const pool = await startPool(2);
    const load = new HttpLoad(pool.url);
    await load.more(100);
    for (const slots of [[2, 0], [0, 1]]) {
      const before = pool.process.stdout.length;
      pool.process.signal('SIGUSR2');
      await until(() => pool.process.stdout.slice(before).includes('all workers are replaced'), 'all are replaced');
      expect(pool.process.logged.findLast(({ message }) => message === 'all workers are replaced')).toMatchObject({ slots });
      await load.more(100);
    }
    const { failures, answered, streams } = await load.stop();
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(300);
    expect(streams).toBeGreaterThan(10);
    expect(await pool.process.end('SIGTERM')).toBe(0);
  });

  test('stops at a worker that cannot be replaced: the old ones go on', async () => {
    const pool = await startPool(2);
    writeFileSync(join(pool.directory, 'refuse-2'), '');
    const load = new HttpLoad(pool.url);
    pool.process.signal('SIGUSR2');
    await pool.process.prints('the rolling restart has stopped');
    expect(pool.process.logged.at(-1)).toMatchObject({ reason: 'The worker in slot 0 is not replaced, and goes on: the stand-in refuses slot 2 of 3' });
    await load.more(20);
    expect((await load.stop()).failures).toEqual([]);
    expect(await slotsOf(pool)).toEqual(['slot 0', 'slot 1']);
  });

  test('waits for a replacement that is not ready yet', async () => {
    const pool = await startPool(2);
    const unready = join(pool.directory, 'unready-2');
    writeFileSync(unready, '');
    pool.process.signal('SIGUSR2');
    const looks = join(pool.directory, 'looks-2');
    await until(() => existsSync(looks) && readFileSync(looks, 'utf8').length > 10, 'the replacement is up, and was often looked at');
    expect(await slotsOf(pool)).toEqual(['slot 0', 'slot 1']);
    rmSync(unready);
    await pool.process.prints('all workers are replaced');
    expect(await slotsOf(pool)).toEqual(['slot 0', 'slot 2']);
  });
});

describe('meridian gateway --workers', () => {
  test('says what more than one worker need: PostgreSQL, and ports that do not meet', async () => {
    const { file } = folder();
    const { ended, stderr } = await meridian(['gateway', '--config', file, '--workers', '2']);
    expect(ended).toBe(2);
    expect(stderr).toContain('workers share keys and books through PostgreSQL: add postgres to');
    writeFileSync(file, `${readFileSync(file, 'utf8').replace(/listen:.*/, 'listen: { fleet: { host: 0.0.0.0, token: a-token-for-all-nodes } }')}postgres: { url: 'postgres://meridian@127.0.0.1:5432/meridian' }\n`);
    const met = await meridian(['gateway', '--config', file, '--workers', '2']);
    expect(met.ended).toBe(2);
    expect(met.stderr).toContain('listen.fleet.advertise_url is missing');
    expect(met.stderr).toContain('listen.fleet.port takes 8082 to 8084 with these workers, and listen.admin takes 8081 to 8083; choose ports further apart');
  });

  test.each(['0', '1.5', 'two', '1000'])('refuses --workers %s', async (workers) => {
    const { ended, stderr } = await meridian(['gateway', '--config', folder().file, '--workers', workers]);
    expect(ended).toBe(2);
    expect(stderr).toContain('--workers takes');
  });
});
