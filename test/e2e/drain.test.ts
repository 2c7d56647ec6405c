import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openJournal, type JournalPage } from '../../src/billing/index.ts';
import { noLog, systemClock } from '../../src/core/index.ts';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet, type TestFleetOptions } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { recordOf } from '../support/usage-truth.ts';

const BODY = { model: MODEL, seed: 3, max_tokens: 400, ignore_eos: true, messages: [{ role: 'user', content: 'Tell me of the wind' }] };

function ask({ gateway, apiKey }: TestFleet, more: object = {}): Asking {
  return new Asking({ publicUrl: gateway.publicUrl, apiKey }, { ...BODY, ...more });
}

async function started(options: TestFleetOptions): Promise<TestFleet> {
  const fleet = await startTestFleet(options);
  onTestFinished(() => fleet.close());
  return fleet;
}

describe('a node that is drained through the admin API', () => {
  test('finishes its streams, gets no new ones, and serves again after resume', async () => {
    const fleet = await started({ regions: { 'gcp-us-east4': 2 } });
    const [one, two] = fleet.gateway.fleet.all();
    const streams = Array.from({ length: 10 }, () => ask(fleet, { stream: true }));
    await until(() => streams.every(({ bytes }) => bytes > 500), 'the streams flow');
    // Nothing that is under way may end before the node was seen to drain.
    for (const { model } of fleet.engines) model.slowdown = 50;
    // Equal prompts like to go where the first one is cached: all may be on one node.
    const [drained, other] = (one?.inFlight ?? 0) > 0 ? [one, two] : [two, one];
    expect((await fleet.admin('POST', `/admin/v1/fleet/${drained?.identity.id}/drain`)).status).toBe(202);
    await until(() => drained?.state === 'draining', 'the node drains');
    expect(drained?.inFlight).toBeGreaterThan(0);
    for (const { model } of fleet.engines) model.slowdown = 1;

    const later = await Promise.all(Array.from({ length: 5 }, () => ask(fleet, { max_tokens: 3 }).over()));
    for (const { requestId } of later) {
      expect((await recordOf(fleet, requestId)).attempts.map(({ replica }) => replica)).toEqual([other?.identity.id]);
    }
    for (const stream of streams) expect((await stream.over()).isDone).toBe(true);
    expect(drained?.inFlight).toBe(0);

    expect((await fleet.admin('POST', `/admin/v1/fleet/${drained?.identity.id}/resume`)).status).toBe(202);
    await until(() => drained?.state === 'ready', 'the node serves again');
  });

  test('that nobody knows is said to be unknown', async () => {
    const fleet = await started({ regions: {}, agentless: 1 });
    const { status, json } = await fleet.admin('POST', '/admin/v1/fleet/nobody/drain');
    expect(status).toBe(404);
    expect(json['error']).toMatchObject({ code: 'not_found' });
  });
});

describe('a gateway that is drained', () => {
  test('row 19: finishes every answer under way, refuses new ones, and leaves a whole journal', async () => {
    let dataDir = '';
    const fleet = await started({
      regions: { 'gcp-us-east4': 1 },
      agentless: 1,
      config: (config) => ({ ...config, dataDir: (dataDir = config.dataDir), drain: { readinessMs: 0, streamsMs: 20_000 } }),
    });
    const under = Array.from({ length: 20 }, (_, i) => ask(fleet, { stream: i % 2 === 0 }));
    const isFlowing = (): boolean => under.every(({ isSent, bytes }, i) => isSent && (i % 2 === 1 || bytes > 500));
    await until(isFlowing, 'the answers are under way');
    // Nothing that is under way may end before everything was looked at.
    for (const { model } of fleet.engines) model.slowdown = 50;
    const gone = fleet.gateway.drain();

    const refused: Asking[] = [];
    await until(async () => {
      refused.push(await ask(fleet, { max_tokens: 1 }).over());
      return refused.at(-1)?.status === 503;
    }, 'new requests are refused');
    expect(refused.at(-1)?.headers).toMatchObject({ connection: 'close', 'retry-after': '1' });
    expect(refused.at(-1)?.error?.['code']).toBe('overloaded');
    const readiness = await fetch(`${fleet.gateway.adminUrl}/readyz`);
    expect(readiness.status).toBe(503);
    expect(await readiness.json()).toMatchObject({ reasons: ['draining'] });

    for (const { model } of fleet.engines) model.slowdown = 1;
    for (const asking of under) expect((await asking.over()).isAcknowledged).toBe(true);
    await gone;
    const { entries } = await journalOf(dataDir);
    for (const { requestId } of under) {
      expect(entries.find(({ record }) => record.requestId === requestId)?.record.outcome).toBe('completed');
    }
  });

  test('settles what it has to cut when the time is up, by the count of the engines', async () => {
    let dataDir = '';
    const fleet = await started({
      regions: { 'gcp-us-east4': 1 },
      agentless: 1,
      config: (config) => ({ ...config, dataDir: (dataDir = config.dataDir), drain: { readinessMs: 0, streamsMs: 100 } }),
    });
    const endless = Array.from({ length: 6 }, () => ask(fleet, { stream: true, max_tokens: 20_000 }));
    await until(() => endless.every(({ bytes }) => bytes > 500), 'the streams flow');
    await fleet.gateway.drain();
    const { entries } = await journalOf(dataDir);
    for (const asking of endless) {
      await asking.over();
      expect(asking.isDone).toBe(false);
      const record = entries.find((entry) => entry.record.requestId === asking.requestId)?.record;
      expect(record).toMatchObject({ outcome: 'aborted', estimated: false });
    }
  });
});

async function journalOf(dataDir: string): Promise<JournalPage> {
  const journal = await openJournal({ path: join(dataDir, 'journal.sqlite'), groupCommitMs: 1, streamGroupCommitMs: 1, clock: systemClock, log: noLog });
  const page = await journal.list({ limit: 1_000 });
  await journal.close();
  return page;
}
