import { spawn, type ChildProcess } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { seededRng, systemClock } from '../../src/core/index.ts';
import { startSimEngine, type SimEngine } from '../../src/sim/index.ts';
import type { GatewayConfig } from '../../src/config/index.ts';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { recordOf } from '../support/usage-truth.ts';
import { FaultProxy } from './fault-proxy.ts';

const WORLD = { clock: systemClock, rng: seededRng(5) };
const BODY = { model: MODEL, seed: 3, max_tokens: 40, ignore_eos: true, stream: true, messages: [{ role: 'user', content: 'Tell me of the wind' }] };

/** An agentless replica behind a bad line, which is asked first, and a node that is well. */
let fleet: TestFleet;
let engine: SimEngine;
let line: FaultProxy;
let undisturbed: string;

async function startFleet(url: string): Promise<TestFleet> {
  const replica: GatewayConfig['replicas'][number] = {
    id: 'bad-line',
    url,
    region: 'oci-uk-london',
    models: [MODEL],
    engine: 'sglang',
    continuation: 'text',
    maxRunning: 256,
    prefillTokensPerS: 9_000,
    // Slower than the test: it is the attempts that find out.
    pollMs: 60_000,
    canaryTokens: 0,
  };
  return startTestFleet({
    regions: { 'gcp-us-east4': 1 },
    config: (config) => ({
      ...config,
      replicas: [replica],
      balancer: { ...config.balancer, exploreShare: 0, loadStaleMs: 600_000, retryCostMs: 0, regionPriceMs: { 'gcp-us-east4': 1e6 } },
      retries: { ...config.retries, jitterMinMs: 0, jitterMaxMs: 1 },
      timeouts: { ...config.timeouts, connectMs: 1_000 },
    }),
  });
}

beforeEach(async () => {
  engine = await startSimEngine({ model: MODEL, timeScale: 20 });
  line = await FaultProxy.start({ host: '127.0.0.1', port: engine.port }, WORLD);
  fleet = await startFleet(`http://127.0.0.1:${line.port}`);
  await until(() => fleet.gateway.fleet.get('bad-line')?.state === 'ready', 'the replica is ready');
  undisturbed = (await ask().over()).content;
});
afterEach(async () => {
  await fleet.close();
  await line.close();
  await engine.close();
});

function ask(more: object = {}): Asking {
  return new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, { ...BODY, ...more });
}

async function expectServedElsewhere(asking: Asking, code: string): Promise<void> {
  await asking.over();
  expect(asking.content).toBe(undisturbed);
  expect(asking.isDone).toBe(true);
  const record = await recordOf(fleet, asking.requestId);
  expect(record.attempts.map(({ replica }) => replica)).toEqual(['bad-line', 'gcp-us-east4-1']);
  expect(record.attempts[0]).toMatchObject({ outcome: 'failed', error_code: code });
  expect(record.usage.completion_tokens).toBe(40);
}

describe('a line to an engine', () => {
  test('row 1: that refuses connections costs the client nothing', async () => {
    await line.refuse(true);
    line.breakAll('reset');
    await until(() => line.connections === 0, 'idle connections are gone');
    await expectServedElsewhere(ask(), 'upstream_error');
  });

  test('row 3: that resets before any byte costs the client nothing', async () => {
    line.breakAll('reset');
    await until(() => line.connections === 0, 'idle connections are gone');
    line.cutNext('up', 50, 'reset');
    await expectServedElsewhere(ask(), 'upstream_error');
  });

  test('row 8: that resets after k bytes, whichever they are, costs the client nothing', async () => {
    const rng = seededRng(11);
    for (let i = 0; i < 25; i += 1) {
      line.breakAll('close');
      await until(() => line.connections === 0, 'idle connections are gone');
      line.cutNext('down', 1 + Math.floor(rng.next() * 12_000), i % 2 === 0 ? 'reset' : 'close');
      const asking = await ask().over();
      expect(asking.content).toBe(undisturbed);
      expect(asking.isDone).toBe(true);
      expect((await recordOf(fleet, asking.requestId)).usage.completion_tokens).toBe(40);
    }
  });

  test('row 11: that cuts events, and characters in them, anywhere changes no byte', async () => {
    const wide = { messages: [{ role: 'user', content: 'Слово 🚀 言葉' }], max_tokens: 200 };
    const whole = (await ask(wide).over()).content;
    line.set('down', { sliceBytesMax: 3 });
    line.set('up', { sliceBytesMax: 7 });
    const sliced = await ask(wide).over();
    expect(Buffer.byteLength(sliced.content)).toBeGreaterThan(sliced.content.length);
    expect(sliced.content).toBe(whole);
    expect((await recordOf(fleet, sliced.requestId)).attempts.length).toBe(1);
  });

  test('row 17: whose idle connection is closed just as it is used again costs the client nothing', async () => {
    for (let i = 0; i < 20; i += 1) {
      await ask().over();
      // The engine's end closes while the gateway's next request may be on its way.
      line.breakAll('close');
      const asking = await ask().over();
      expect(asking.content).toBe(undisturbed);
      expect((await recordOf(fleet, asking.requestId)).outcome).toBe('completed');
    }
  });
});

describe('a host that swallows connections', () => {
  const FILLERS = 8;

  /** A listener at `port` that accepts nothing, its queue full: the system answers no further connection at all. */
  async function blackHole(port: number): Promise<() => void> {
    const program = `require('net').createServer().listen({port:${port},host:'127.0.0.1',backlog:1},()=>process.stdout.write('up',()=>Atomics.wait(new Int32Array(new SharedArrayBuffer(4)),0,0)))`;
    const child: ChildProcess = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout?.on('data', (bytes: Buffer) => (said += bytes.toString()));
    await until(() => said === 'up', 'the listener stands');
    let connected = 0;
    const fillers = Array.from({ length: FILLERS }, () => {
      const socket: Socket = connect({ port, host: '127.0.0.1' });
      socket.on('connect', () => (connected += 1));
      socket.on('error', () => {});
      return socket;
    });
    await until(() => connected > 0, 'its queue has begun to fill');
    return () => {
      for (const socket of fillers) socket.destroy();
      child.kill('SIGKILL');
    };
  }

  test('row 2: costs the client the time to connect, and no more', async () => {
    const doomed = await startSimEngine({ model: MODEL, timeScale: 20 });
    const own = await startFleet(doomed.url);
    onTestFinished(() => own.close());
    await until(() => own.gateway.fleet.get('bad-line')?.state === 'ready', 'the replica is ready');
    await doomed.close();
    onTestFinished(await blackHole(doomed.port));
    const asking = await new Asking({ publicUrl: own.gateway.publicUrl, apiKey: own.apiKey }, BODY).over();
    expect(asking.content).toBe(undisturbed);
    const record = await recordOf(own, asking.requestId);
    expect(record.attempts.map(({ replica, outcome }) => [replica, outcome])).toEqual([
      ['bad-line', 'failed'],
      ['gcp-us-east4-1', 'completed'],
    ]);
    // It was given up by the bound on connecting, long before that on a first token.
    expect((record.attempts[1]?.started_ms ?? 0) < 5_000).toBe(true);
  });
});
