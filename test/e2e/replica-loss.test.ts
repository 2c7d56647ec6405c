import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { noLog, seededRng, systemClock } from '../../src/core/index.ts';
import { startNodeDaemon } from '../../src/node/index.ts';
import { NO_FAULTS, startDistanceProxy, startSimEngine, type DistanceProxy, type SimEngine } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { MODEL, nodeOptions, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { asUsage, engineTruth, recordOf } from '../support/usage-truth.ts';

const BODY = { model: MODEL, seed: 3, max_tokens: 4, ignore_eos: true, messages: [{ role: 'user', content: 'Tell me of the wind' }] };
const WORLD = { clock: systemClock, rng: seededRng(1), log: noLog };

function ask({ gateway, apiKey }: TestFleet, more: object = {}): Asking {
  return new Asking({ publicUrl: gateway.publicUrl, apiKey }, { ...BODY, ...more });
}

describe('a replica that fails', () => {
  let fleet: TestFleet;

  beforeAll(async () => {
    fleet = await startTestFleet({
      regions: { 'gcp-us-east4': 1 },
      agentless: 1,
      config: (config) => ({
        ...config,
        // The node is far dearer, so that everything goes to the agentless replica as long as it may.
        balancer: { ...config.balancer, regionPriceMs: { 'gcp-us-east4': 1e6 } },
        // Long enough for a slow machine to look at it while it is open.
        breaker: { ...config.breaker, openMs: 5_000, openMsMax: 5_000 },
        health: { ...config.health, slowStartMs: 0 },
        retries: { ...config.retries, jitterMinMs: 0, jitterMaxMs: 1 },
      }),
    });
  });
  afterAll(() => fleet.close());

  test('gets no more traffic after three failures, and all of it again once a probe went well', async () => {
    const failing = fleet.gateway.fleet.get('agentless-1');
    const triedBy = async (asking: Asking): Promise<string[]> => (await recordOf(fleet, asking.requestId)).attempts.map(({ replica }) => replica);
    fleet.engines[1]?.faults.set({ ...NO_FAULTS, requests: [{ kind: 'error503', times: null, probability: 1 }] });
    for (let i = 0; i < 3; i += 1) {
      expect(await triedBy(await ask(fleet).over())).toEqual(['agentless-1', 'gcp-us-east4-1']);
    }
    expect(failing?.breaker.state.kind).toBe('open');
    const sheltered = await ask(fleet).over();
    expect(sheltered.status).toBe(200);
    expect(await triedBy(sheltered)).toEqual(['gcp-us-east4-1']);

    fleet.engines[1]?.faults.clear();
    await until(async () => {
      const asking = await ask(fleet).over();
      expect(asking.status).toBe(200);
      return failing?.breaker.state.kind === 'closed';
    }, 'a probe closes the breaker');
    expect(await triedBy(await ask(fleet).over())).toEqual(['agentless-1']);
  });
});

describe('a node whose link is cut', () => {
  let fleet: TestFleet;
  let engine: SimEngine;
  let line: DistanceProxy;

  beforeAll(async () => {
    fleet = await startTestFleet({ regions: {} });
    engine = await startSimEngine({ model: MODEL, timeScale: 20 });
    const fleetUrl = new URL(String(fleet.gateway.fleetUrl));
    line = await startDistanceProxy({ target: { host: fleetUrl.hostname, port: Number(fleetUrl.port) }, oneWayMs: 0, jitterMs: 0, ...WORLD });
    const daemon = await startNodeDaemon(nodeOptions('far', 'far-away', engine.url, `ws://127.0.0.1:${line.port}${fleetUrl.pathname}`), WORLD);
    await isReady();
    return async () => {
      await fleet.close();
      await daemon.close();
      await line.close();
      await engine.close();
    };
  });

  const isReady = (): Promise<void> => until(() => fleet.gateway.fleet.get('far')?.state === 'ready', 'the node is linked and ready');

  test('in mid-stream, with no other to go on, ends the stream in an error event; what its engine made beyond follows as an adjustment', async () => {
    onTestFinished(() => line.restore());
    const asking = ask(fleet, { stream: true, max_tokens: 20_000 });
    await until(() => asking.bytes > 5_000, 'the stream flows');
    line.cut();
    await asking.over();
    expect(asking.isWhole).toBe(true);
    expect(asking.isDone).toBe(false);
    expect(asking.error?.['code']).toBe('upstream_error');
    const record = await recordOf(fleet, asking.requestId);
    const delivered = asking.text.split('\n\n').filter((event) => /"content":"[^"]/.test(event)).length;
    expect(record).toMatchObject({ outcome: 'failed', source: 'node', estimated: false, adjustments: [], usage: { completion_tokens: delivered } });
    expect((await ask(fleet).over()).status, 'no replica is left').toBe(503);

    line.restore();
    await isReady();
    const isAdjusted = async (): Promise<boolean> => (await recordOf(fleet, asking.requestId)).adjustments.length > 0;
    await until(isAdjusted, 'the node has told its count');
    const [adjustment] = (await recordOf(fleet, asking.requestId)).adjustments;
    expect(adjustment?.attempt_id).toBe(record.attempts[0]?.id);
    expect(adjustment?.usage).toMatchObject(asUsage((await engineTruth([engine])).get(String(adjustment?.attempt_id))));
    expect((await ask(fleet).over()).status).toBe(200);
  });
});
