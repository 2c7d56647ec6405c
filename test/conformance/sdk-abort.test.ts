import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NO_FAULTS } from '../../src/sim/index.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { SDKS } from './sdks.ts';

/** Asks for more tokens than any test waits for. */
const ask = {
  model: MODEL,
  seed: 7,
  max_tokens: 30_000,
  ignore_eos: true,
  messages: [{ role: 'user' as const, content: 'Tell me of the sea' }],
};

describe.each([
  ['a node link', { regions: { 'gcp-us-east4': 1 }, agentless: 0 }],
  ['an agentless replica', { regions: {}, agentless: 1 }],
])('a client that goes away, over %s,', (_way, replicas) => {
  let fleet: TestFleet;
  const told: string[] = [];

  beforeAll(async () => {
    fleet = await startTestFleet(replicas);
    for (const engine of fleet.engines) engine.server.http.on('request', ({ url }) => told.push(String(url)));
  });
  afterAll(() => fleet.close());
  afterEach(() => {
    for (const engine of fleet.engines) engine.faults.clear();
  });

  const ended = () => fleet.engines.flatMap(({ server }) => server.log.list(0, 1_000));
  const running = (): number => fleet.engines.reduce((sum, { model }) => sum + model.load().runningRequests, 0);

  /** Runs `act`, which leaves; resolves with what the engine logged of it and what the gateway recorded. */
  async function afterLeaving(act: () => Promise<void>) {
    const before = ended().length;
    told.length = 0;
    await act();
    await until(() => ended().length > before, 'the engine has ended the request');
    const engine = ended().at(-1);
    const id = engine?.rid.replace(/-\d+$/, '');
    let record: Record<string, unknown> = {};
    await until(async () => {
      const { status, json } = await fleet.admin('GET', `/admin/v1/requests/${id}`);
      record = json;
      return status === 200;
    }, 'the request is recorded');
    await until(() => told.includes('/abort_request'), 'the engine was told');
    expect(engine?.outcome).toBe('aborted');
    expect(record).toMatchObject({ outcome: 'aborted', status: 499 });
    return { engine, usage: record['usage'] as Record<string, number> };
  }

  test.each(SDKS)('in mid-stream, $name: the engine is told, and what it made is counted', async ({ Sdk }) => {
    const client = new Sdk({ baseURL: fleet.gateway.publicUrl, apiKey: fleet.apiKey });
    const { engine, usage } = await afterLeaving(async () => {
      const stream = await client.chat.completions.create({ ...ask, stream: true });
      let chunks = 0;
      for await (const _chunk of stream) if ((chunks += 1) === 20) break;
    });
    expect(usage['prompt_tokens']).toBeGreaterThan(0);
    expect(usage['completion_tokens']).toBeGreaterThanOrEqual(19);
    expect(usage['completion_tokens']).toBeLessThanOrEqual(engine?.completion ?? 0);
  });

  test.each(SDKS)('by its own signal, $name: the loop ends, and the engine is told', async ({ Sdk }) => {
    const client = new Sdk({ baseURL: fleet.gateway.publicUrl, apiKey: fleet.apiKey });
    await afterLeaving(async () => {
      const stream = await client.chat.completions.create({ ...ask, stream: true });
      for await (const _chunk of stream) stream.controller.abort();
    });
  });

  test.each(SDKS)('before the first token, $name: the engine is told', async ({ Sdk }) => {
    const client = new Sdk({ baseURL: fleet.gateway.publicUrl, apiKey: fleet.apiKey, maxRetries: 0 });
    for (const { faults } of fleet.engines) {
      faults.set({ ...NO_FAULTS, requests: [{ kind: 'stall', afterTokens: 0, times: null, probability: 1 }] });
    }
    const { engine } = await afterLeaving(async () => {
      const leave = new AbortController();
      const answer = client.chat.completions.create({ ...ask, stream: true }, { signal: leave.signal });
      answer.catch(() => {});
      await until(() => told.includes('/v1/chat/completions'), 'the engine has the request');
      leave.abort();
      await expect(answer).rejects.toBeInstanceOf(Sdk.APIUserAbortError);
    });
    expect(engine?.completion).toBe(0);
  });

  test.each(SDKS)('waiting for an answer in one piece, $name: the engine is told', async ({ Sdk }) => {
    const client = new Sdk({ baseURL: fleet.gateway.publicUrl, apiKey: fleet.apiKey, maxRetries: 0 });
    await afterLeaving(async () => {
      const leave = new AbortController();
      const answer = client.chat.completions.create(ask, { signal: leave.signal });
      answer.catch(() => {});
      await until(() => running() > 0, 'the engine is at work');
      leave.abort();
      await expect(answer).rejects.toBeInstanceOf(Sdk.APIUserAbortError);
    });
  });
});
