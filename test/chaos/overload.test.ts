import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { GatewayConfig } from '../../src/config/index.ts';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const BODY = { model: MODEL, max_tokens: 4, ignore_eos: true, messages: [{ role: 'user', content: 'Tell me of the wind' }] };
const ENDLESS = { ...BODY, stream: true, max_tokens: 30_000 };
const IN_FLIGHT_MAX = 20;
/** So late no machine is by itself. */
const LATE_MS = 3_000;

function lateMarks({ critical, standard, batch }: GatewayConfig['overload']): GatewayConfig['overload'] {
  const marks = (of: typeof critical) => ({ ...of, delayMs: LATE_MS });
  return { critical: marks(critical), standard: marks(standard), batch: marks(batch), calmMs: 100 };
}

describe('a gateway with too much to do', () => {
  let fleet: TestFleet;
  let critical: string;

  beforeEach(async () => {
    fleet = await startTestFleet({
      // Twenty streams without end, at the pace of real engines: faster ones would be all that the machine does.
      engine: { timeScale: 1 },
      config: (config) => ({ ...config, limits: { ...config.limits, inFlightMax: IN_FLIGHT_MAX }, overload: lateMarks(config.overload) }),
    });
    critical = (await fleet.gateway.keys.create({ name: 'critical', priorityMax: 'critical' })).secret;
  });
  afterEach(async () => fleet.close());

  const ask = (priority: 'critical' | 'standard' | 'batch', body: object = BODY): Asking =>
    new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: critical }, body, { headers: { 'x-meridian-priority': priority } });
  const statuses = async (): Promise<number[]> => {
    const all = await Promise.all((['batch', 'standard', 'critical'] as const).map((priority) => ask(priority).over()));
    return all.map(({ status }) => status);
  };

  test('row 25: refuses by class while it fills, with a time to come back, and takes all again when it has emptied', async () => {
    const streams: Asking[] = [];
    const fill = async (count: number): Promise<void> => {
      while (streams.length < count) streams.push(ask('critical', ENDLESS));
      await until(() => streams.every(({ bytes }) => bytes > 0), 'the streams flow');
    };
    expect(await statuses()).toEqual([200, 200, 200]);
    await fill(IN_FLIGHT_MAX * 0.8);
    const refused = await ask('batch').over();
    expect(refused.status).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect((await ask('standard').over()).status).toBe(200);
    await fill(IN_FLIGHT_MAX * 0.95);
    expect((await ask('standard').over()).status).toBe(503);
    expect((await ask('critical').over()).status).toBe(200);
    await fill(IN_FLIGHT_MAX);
    expect(await statuses()).toEqual([503, 503, 503]);
    for (const stream of streams) stream.leave();
    await until(async () => (await statuses()).every((status) => status === 200), 'all classes are taken again');
    const metrics = await (await fetch(`${fleet.gateway.adminUrl}/metrics`)).text();
    expect(metrics).toMatch(/meridian_shed_total\{[^}]*priority="batch"[^}]*\} [1-9]/);
  });

  test('row 32: refuses new requests after its event loop was blocked, before it reads their bodies, and recovers by itself', async () => {
    const untilMs = performance.now() + LATE_MS + 300;
    while (performance.now() < untilMs);
    const blocked = await ask('critical').over();
    expect(blocked.status).toBe(503);
    expect(blocked.error).toMatchObject({ code: 'overloaded' });
    expect(blocked.headers['retry-after']).toBeDefined();
    await until(async () => (await statuses()).every((status) => status === 200), 'all classes are taken again');
    expect((await fetch(`${fleet.gateway.adminUrl}/readyz`)).status).toBe(200);
  });
});
