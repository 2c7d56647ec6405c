import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { noLog, seededRng, systemClock } from '../../src/core/index.ts';
import { NodeOptionsError, startNodeDaemon } from '../../src/node/index.ts';
import { streamEnd, streamHead, streamToken } from '../support/fake-engine.ts';
import { FakeGateway, FLEET_TOKEN } from '../support/fake-gateway.ts';
import { nodeOptions, NodeUnderTest } from '../support/node-under-test.ts';
import { eventually } from '../support/eventually.ts';

const BODY = { model: 'm', messages: [], stream: true };
const DEPS = { clock: systemClock, rng: seededRng(1), log: noLog };

let node: NodeUnderTest;
const others: FakeGateway[] = [];

beforeEach(() => {
  node = new NodeUnderTest();
});

afterEach(async () => {
  await node.close();
  for (const other of others.splice(0)) await other.stop();
});

async function anotherGateway(token = FLEET_TOKEN): Promise<FakeGateway> {
  const gateway = new FakeGateway();
  others.push(gateway);
  await gateway.start(token);
  return gateway;
}

async function local(method: string, path: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${node.daemon.localPort}${path}`, { method });
  return { status: answer.status, text: await answer.text() };
}

describe('a node daemon', () => {
  test('says who it is, with what its engine told', async () => {
    await node.start();
    expect(node.gateway.hellos.at(-1)).toMatchObject({
      protocol: 4,
      node: 'n1',
      region: 'here',
      engine: { kind: 'sglang', version: 'fake-1' },
      models: ['m'],
      weightDtype: 'fp8',
      contextTokens: 4096,
      kvTokens: 1000,
      runningMax: 8,
      replicas: [{ id: 'n1', rank: 0 }],
    });
  });

  test('refuses an engine that others could reach, unless that is wanted', async () => {
    const options = nodeOptions('http://10.0.0.5:30000', []);
    await expect(startNodeDaemon(options, DEPS)).rejects.toThrow(NodeOptionsError);
    const command = ['engine', '--host', '0.0.0.0'];
    const open = { ...options.engine, url: 'http://localhost:30000', command };
    await expect(startNodeDaemon({ ...options, engine: open }, DEPS)).rejects.toThrow('must bind to the loopback');
    const daemon = await startNodeDaemon({ ...options, engine: { ...options.engine, allowRemote: true } }, DEPS);
    await daemon.close();
  });

  test('keeps dialling a gateway that refuses its token, and links once it is taken', async () => {
    await node.start();
    const stubborn = await anotherGateway('another-token-altogether');
    node.gateway.link.send({ type: 'members', gateway: 'g1', gateways: [{ id: 'g2', url: stubborn.url }] });
    await eventually(() => expect(stubborn.refused).toBeGreaterThan(2));
    expect(stubborn.hellos).toEqual([]);
    await stubborn.stop();
    await stubborn.start();
    await eventually(() => expect(stubborn.hellos).toHaveLength(1));
  });

  test('links to the gateways that a gateway names, once each, and serves them all', async () => {
    await node.start();
    const second = await anotherGateway();
    const gateways = [
      { id: 'g1', url: 'ws://another-name-of-the-first:1' },
      { id: 'g2', url: second.url },
    ];
    node.gateway.link.send({ type: 'members', gateway: 'g1', gateways });
    await eventually(() => expect(second.state).toBe('ready'));
    second.link.send({ type: 'members', gateway: 'g2', gateways });
    await eventually(() => expect(node.daemon.status().gateways.map(({ id }) => id)).toEqual(['g1', 'g2']));
    const attempt = second.open({ id: 'attempt-1' }, BODY);
    await eventually(() => expect(node.engine.held).toHaveLength(1));
    for (const request of node.engine.held) {
      streamHead(request);
      streamEnd(request, 'stop', 1);
    }
    await eventually(() => expect(attempt.trailers).not.toBe(null));
    expect(node.gateway.links).toHaveLength(1);
  });

  test('forgets a gateway that is gone and that nobody names any more', async () => {
    await node.start();
    const second = await anotherGateway();
    node.gateway.link.send({ type: 'members', gateway: 'g1', gateways: [{ id: 'g2', url: second.url }] });
    await eventually(() => expect(second.state).toBe('ready'));
    await second.stop();
    await eventually(() => expect(node.daemon.status().gateways[1]?.isConnected).toBe(false));
    node.gateway.link.send({ type: 'members', gateway: 'g1', gateways: [] });
    await eventually(() => expect(node.daemon.status().gateways).toHaveLength(1));
  });

  test('reports a load that knows the streams given to the engine, with a sequence that rises', async () => {
    await node.start();
    node.gateway.open({ id: 'attempt-1' }, BODY);
    await eventually(() => expect(node.gateway.loads.at(-1)?.seenStream).toBe(1));
    const sequence = node.gateway.loads.map((load) => load.seq);
    expect(sequence).toEqual(sequence.map((_, index) => index + 1));
    expect(node.gateway.loads.at(-1)).toMatchObject({ replica: 'n1', running: 0, queued: 0, kvTokensUsed: null, prefillTokensPerS: null });
  });

  test('says hello again with a new epoch when its engine was restarted', async () => {
    await node.start();
    const before = node.gateway.hellos.at(-1)?.epoch;
    await node.engine.stop();
    await eventually(() => expect(node.gateway.state).toBe('unhealthy'));
    await node.engine.start();
    await eventually(() => expect(node.gateway.state).toBe('ready'));
    expect(node.gateway.hellos.at(-1)?.epoch).not.toBe(before);
  });

  test('notices a restart that no probe saw', async () => {
    await node.start();
    const before = node.gateway.hellos.at(-1)?.epoch;
    node.engine.instance = 2;
    await eventually(() => expect(node.gateway.hellos.at(-1)?.epoch).not.toBe(before));
  });
});

describe('draining', () => {
  test('lets running attempts finish, takes no new ones, and resuming goes back', async () => {
    await node.start();
    const running = node.gateway.open({ id: 'attempt-1' }, BODY);
    await eventually(() => expect(node.engine.held).toHaveLength(1));
    node.gateway.link.send({ type: 'drain' });
    await eventually(() => expect(node.gateway.state).toBe('draining'));
    const late = node.gateway.open({ id: 'attempt-2' }, BODY);
    await eventually(() => expect(late.status).toBe(503));
    const drained = node.daemon.drain();
    for (const request of node.engine.held) {
      streamHead(request);
      streamEnd(request, 'stop', 1);
    }
    await drained;
    await eventually(() => expect(running.trailers).not.toBe(null));
    node.gateway.link.send({ type: 'resume' });
    await eventually(() => expect(node.gateway.state).toBe('ready'));
  });

  test('stops what is still running when its time is up, with its count', async () => {
    await node.start({ drainMs: 20 });
    node.engine.onAbort = (request) => streamEnd(request, 'abort', 2);
    const running = node.gateway.open({ id: 'attempt-1' }, BODY);
    await eventually(() => expect(node.engine.held).toHaveLength(1));
    for (const request of node.engine.held) {
      streamHead(request);
      streamToken(request, 'a', 1);
    }
    await node.daemon.drain();
    await eventually(() => expect(running.error).toMatchObject({ kind: 'broken', settlement: { usage: { completionTokens: 2 } } }));
  });
});

describe('the local HTTP', () => {
  test('tells health, readiness, metrics and status', async () => {
    await node.start();
    expect((await local('GET', '/healthz')).status).toBe(200);
    expect((await local('GET', '/readyz')).status).toBe(200);
    expect((await local('GET', '/metrics')).text).toContain('\nmeridian_node_ready 1\n');
    expect(JSON.parse((await local('GET', '/status')).text)).toMatchObject({ node: 'n1', state: 'ready' });
    expect((await local('GET', '/nothing')).status).toBe(404);
    expect((await local('GET', '//')).status).toBe(404);
    expect((await local('GET', '/drain')).status).toBe(405);
  });

  test('drains and resumes', async () => {
    await node.start();
    expect((await local('POST', '/drain')).status).toBe(202);
    await eventually(() => expect(node.gateway.state).toBe('draining'));
    expect((await local('GET', '/readyz')).status).toBe(503);
    expect((await local('POST', '/resume')).status).toBe(202);
    await eventually(() => expect(node.gateway.state).toBe('ready'));
  });

  test('empties its engine\'s prefix cache at its local address, and says why where the engine will not', async () => {
    await node.start();
    expect(await local('POST', '/flush')).toMatchObject({ status: 200 });
    expect(node.engine.flushes).toBe(1);
    node.engine.missing.add('/flush_cache');
    const refused = await local('POST', '/flush');
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('the engine answered 404 to /flush_cache')]);
  });
});
