import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { GatewayConfig } from '../../src/config/index.ts';
import { noLog, systemClock } from '../../src/core/index.ts';
import { GatewayCertificate, initAuthority } from '../../src/identity/index.ts';
import { startSimEngine } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { startGatewayProcess, writeGatewayConfig } from '../support/gateway-process.ts';
import { FLEET_TOKEN, MODEL, startTestFleet, type TestFleet, type TestFleetOptions } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const BODY = { model: MODEL, max_tokens: 20, ignore_eos: true, messages: [{ role: 'user', content: 'Tell me of the wind' }] };

interface Reloadable extends TestFleet {
  /** What the file says from now on, by what it said at first. */
  says(change: (config: GatewayConfig) => GatewayConfig): void;
  reload(): ReturnType<TestFleet['admin']>;
}

async function started(options: TestFleetOptions = { regions: {}, agentless: 1 }): Promise<Reloadable> {
  let change = (config: GatewayConfig): GatewayConfig => config;
  const fleet = await startTestFleet({ ...options, read: (config) => change(config) });
  onTestFinished(() => fleet.close());
  return { ...fleet, says: (next) => (change = next), reload: () => fleet.admin('POST', '/admin/v1/config/reload') };
}

function ask({ gateway, apiKey }: TestFleet, more: object = {}): Asking {
  return new Asking({ publicUrl: gateway.publicUrl, apiKey }, { ...BODY, ...more });
}

/** Asks all the time, streams and answers in one piece, until `stop`, which gives everything that was asked. */
function load(fleet: TestFleet): { readonly asked: readonly Asking[]; readonly stop: () => Promise<readonly Asking[]> } {
  const asked: Asking[] = [];
  let isOver = false;
  const lanes = Array.from({ length: 6 }, async (_, lane) => {
    while (!isOver) {
      const asking = ask(fleet, { stream: lane % 2 === 0 });
      asked.push(asking);
      await asking.over();
    }
  });
  return {
    asked,
    async stop() {
      isOver = true;
      await Promise.all(lanes);
      return asked;
    },
  };
}

function expectNoneFailed(asked: readonly Asking[]): void {
  expect(asked.filter(({ isAcknowledged }) => !isAcknowledged).map(({ status, text }) => `${status} ${text}`)).toEqual([]);
}

/** Waits until so many more have been asked and answered. */
async function more(asked: readonly Asking[], count = 20): Promise<void> {
  const before = asked.length;
  await until(() => asked.length >= before + count, 'more is asked');
}

describe('a configuration that is read again under load', () => {
  test('takes bounds, models, aliases and headers for the next request, without one that fails', async () => {
    const fleet = await started();
    const { asked, stop } = load(fleet);
    await more(asked);
    expect((await ask(fleet, { model: 'second' }).over()).status).toBe(404);
    fleet.says((config) => ({
      ...config,
      models: { ...config.models, second: { contextTokens: 1_000, outputTokensMax: 100, bytesPerToken: 4, servedAs: MODEL, free: true } },
      aliases: { chat: { versions: [{ model: 'second', weight: 1 }] } },
      replicas: config.replicas.map((replica) => ({ ...replica, models: [MODEL, 'second'] })),
      routingHeaders: { exposeReplica: false },
      limits: { ...config.limits, jsonDepthMax: 3 },
      timeouts: { ...config.timeouts, stallMs: 14_000 },
    }));
    const { status, json } = await fleet.reload();
    expect(status).toBe(200);
    expect(json).toEqual({ object: 'config.reload', applied: ['models.second', 'aliases.chat', 'replicas', 'limits.json_depth_max', 'timeouts.stall_ms', 'routing_headers.expose_replica'], needs_restart: [], unchanged: false });
    await until(() => fleet.gateway.fleet.serving('second').length === 1, 'the replica serves the new model, too');
    await more(asked);
    for (const model of ['second', 'chat']) expect((await ask(fleet, { model }).over()).status).toBe(200);
    expect((await ask(fleet).over()).headers).not.toHaveProperty('x-meridian-replica');
    expect((await ask(fleet, { metadata: { a: { b: { c: 1 } } } }).over()).status).toBe(400);
    expectNoneFailed(await stop());
    expect((await fleet.reload()).json).toMatchObject({ applied: [], needs_restart: [], unchanged: true });
  });

  test('a wait that is shorter now ends the next request', async () => {
    const fleet = await started();
    expect((await ask(fleet).over()).status).toBe(200);
    fleet.says((config) => ({ ...config, timeouts: { ...config.timeouts, totalMs: 1 } }));
    expect((await fleet.reload()).json).toMatchObject({ applied: ['timeouts.total_ms'] });
    expect((await ask(fleet, { max_tokens: 400 }).over()).status).toBe(504);
  });

  test('another admin key is the one that counts', async () => {
    const fleet = await started();
    fleet.says((config) => ({ ...config, adminKey: 'another_admin_key_for_tests' }));
    expect((await fleet.reload()).json).toMatchObject({ applied: ['admin_key'] });
    expect((await fleet.reload()).status).toBe(401);
  });

  test('replicas come, change their engine and go, without a request that fails', async () => {
    const fleet = await started();
    const other = await startSimEngine({ model: MODEL, timeScale: 20, seed: 9 });
    onTestFinished(() => other.close());
    const { asked, stop } = load(fleet);
    const stateOf = (id: string): string | undefined => fleet.gateway.fleet.get(id)?.state;

    fleet.says((config) => ({ ...config, replicas: config.replicas.flatMap((replica) => [replica, { ...replica, id: 'added', url: other.url }]) }));
    expect((await fleet.reload()).json).toMatchObject({ applied: ['replicas'] });
    await until(() => stateOf('added') === 'ready', 'the added replica is ready');
    await more(asked);

    // The first one's engine is the second's from now on, and the second is gone.
    const before = fleet.gateway.fleet.get('agentless-1');
    fleet.says((config) => ({ ...config, replicas: config.replicas.map((replica) => ({ ...replica, url: other.url })) }));
    await fleet.reload();
    expect(stateOf('added')).toBeUndefined();
    await until(() => fleet.gateway.fleet.get('agentless-1') !== before, 'the changed replica is in the place of the old one');
    expect(stateOf('agentless-1')).toBe('ready');
    await until(() => before?.inFlight === 0, 'the old one has finished what it had');
    await more(asked);
    const served = fleet.engines[0]?.server.log.totals().attempts;
    await more(asked);
    expect(fleet.engines[0]?.server.log.totals().attempts).toBe(served);
    expectNoneFailed(await stop());
  });
});

test('nodes that are linked are told of other gateways when those come into the configuration', async () => {
  const fleet = await started({ regions: { 'gcp-us-east4': 1 } });
  const other = await startTestFleet({ regions: {}, agentless: 1, config: (config) => ({ ...config, gateway: { ...config.gateway, id: 'other' } }) });
  onTestFinished(() => other.close());
  fleet.says(({ listen, ...config }) => ({ ...config, listen: { ...listen, fleet: { host: '127.0.0.1', port: 0, token: FLEET_TOKEN, peers: [{ id: 'other', url: String(other.gateway.fleetUrl) }] } } }));
  expect((await fleet.reload()).json).toMatchObject({ applied: ['listen.fleet.peers'], needs_restart: [] });
  await until(() => other.gateway.fleet.get('gcp-us-east4-1')?.state === 'ready', 'the node has dialled the other one');
});

test('certificates are read again, and files that are none are refused', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-reload-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const authority = await initAuthority(join(directory, 'authority'), systemClock.wallMs());
  const tls = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') };
  const renew = async (): Promise<void> => {
    const { cert, key } = await new GatewayCertificate({ authority, gateway: 'test', hosts: ['127.0.0.1'], clock: systemClock, log: noLog }).issue();
    writeFileSync(tls.certFile, String(cert));
    writeFileSync(tls.keyFile, key as string);
  };
  await renew();
  const fleet = await started({ regions: {}, agentless: 1, config: (config) => ({ ...config, listen: { ...config.listen, public: { ...config.listen.public, tls } } }) });
  const first = await shownBy(fleet);
  await renew();
  expect((await fleet.reload()).json).toMatchObject({ applied: ['listen.public.tls'], needs_restart: [] });
  const second = await shownBy(fleet);
  expect(second).not.toBe(first);
  writeFileSync(tls.certFile, 'no certificate');
  const refused = await fleet.reload();
  expect(refused.status).toBe(400);
  expect(JSON.stringify(refused.json)).toContain('listen.public.tls cannot be used');
  expect(await shownBy(fleet)).toBe(second);
});

/** The serial number of the certificate that clients are shown. */
function shownBy({ gateway }: TestFleet): Promise<string> {
  const { hostname: host, port } = new URL(gateway.publicUrl);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

describe('a configuration that cannot be gone by', () => {
  test('what needs a restart is named by its path, and what can change does', async () => {
    const fleet = await started();
    fleet.says((config) => ({ ...config, listen: { ...config.listen, public: { host: '127.0.0.1', port: 8_080 } }, journal: { ...config.journal, checkpointMs: 5 }, drain: { ...config.drain, streamsMs: 6_000 } }));
    const wanted = { applied: ['drain.streams_ms'], needs_restart: ['listen.public.port', 'journal.checkpoint_ms'], unchanged: false };
    expect((await fleet.reload()).json).toMatchObject(wanted);
    const { json } = await fleet.admin('GET', '/v1/organization/audit_logs?event_types[]=config.reloaded');
    expect((json['data'] as object[])[0]).toMatchObject({ type: 'config.reloaded' });
    expect((await fleet.reload()).json, 'and it is named until it is done').toMatchObject({ applied: [], needs_restart: wanted.needs_restart });
  });

  test('what would contradict a value that needs a restart is refused', async () => {
    const fleet = await started();
    fleet.says((config) => ({ ...config, timeouts: { ...config.timeouts, totalMs: 800_000 }, sharing: { ...config.sharing, allowanceMs: 900_000 } }));
    const { status, json } = await fleet.reload();
    expect(status).toBe(400);
    expect(JSON.stringify(json)).toMatch(/timeouts\.total_ms is 800000.*sharing\.allowance_ms/);
    expect(fleet.gateway.config().timeouts.totalMs).toBe(600_000);
  });

  test('a gateway that was not started from a file says so', async () => {
    const fleet = await startTestFleet({ regions: {}, agentless: 1 });
    onTestFinished(() => fleet.close());
    expect((await fleet.admin('POST', '/admin/v1/config/reload')).status).toBe(409);
  });
});

test('the price file is read again: rows may be added, and what is past is never priced anew', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-reload-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const pricesFile = join(directory, 'prices.yaml');
  const first = { model: MODEL, effective_from: '2020-01-01T00:00:00Z', input: 270_000_000, input_cached: 70_000_000, output: 1_100_000_000 };
  const file = (...rows: object[]): void => writeFileSync(pricesFile, JSON.stringify({ prices: rows }));
  file(first);
  const fleet = await started({ regions: {}, agentless: 1, config: (config) => ({ ...config, pricesFile }) });
  const prices = async (): Promise<number> => ((await fleet.admin('GET', '/admin/v1/prices')).json['data'] as object[]).length;

  file({ ...first, effective_to: '2099-01-01T00:00:00Z' }, { ...first, effective_from: '2099-01-01T00:00:00Z', input: 1 });
  expect((await fleet.reload()).json).toMatchObject({ applied: ['prices_file'] });
  expect(await prices()).toBe(2);

  file({ ...first, input: 1 });
  const changed = await fleet.reload();
  expect(changed.status).toBe(400);
  expect(JSON.stringify(changed.json)).toContain('from 2020-01-01T00:00:00.000Z');
  file({ ...first, effective_to: '2021-01-01T00:00:00Z' }, { ...first, effective_from: '2021-01-01T00:00:00Z', input: 1 });
  expect((await fleet.reload()).status, 'ended in the past').toBe(400);
  expect(await prices()).toBe(2);
});

test('SIGHUP reads the file of a running gateway; a faulty one changes nothing, and all that is wrong is said', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-reload-'));
  const file = writeGatewayConfig(directory, 0);
  const { process: gateway, admin } = await startGatewayProcess(file);
  onTestFinished(async () => {
    await gateway.end();
    rmSync(directory, { recursive: true });
  });
  const good = readFileSync(file, 'utf8');
  writeFileSync(file, `${good}timeouts: { stall_ms: soon }\nretries: { attempts_max: 0 }\n`);
  process.kill(gateway.pid, 'SIGHUP');
  await gateway.prints('the configuration is not taken');
  const refused = await admin('POST', '/admin/v1/config/reload');
  expect(refused.status).toBe(400);
  expect(JSON.stringify(refused.json)).toMatch(/timeouts\.stall_ms is .*retries\.attempts_max is/);

  writeFileSync(file, `${good}telemetry: { log_level: error }\n`);
  process.kill(gateway.pid, 'SIGHUP');
  await until(async () => (await admin('POST', '/admin/v1/config/reload')).json['unchanged'] === true, 'the file is gone by');
  expect(await gateway.end('SIGTERM')).toBe(0);
  expect(gateway.stdout, 'less is logged').not.toContain('"stopping"');
});
