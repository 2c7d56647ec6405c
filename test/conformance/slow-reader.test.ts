import { afterAll, describe, expect, test } from 'vitest';
import type { GatewayConfig } from '../../src/config/index.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { eventsOf, RawClient, rawExchange, requestBytes, type RawRequest } from './raw-client.ts';

const NO_CUT = { streamBufferBytesMax: 1 << 30, slowReaderMs: 1_000_000 };

async function fleetWith(
  replicas: { readonly regions: Readonly<Record<string, number>>; readonly agentless: number },
  { streamBufferBytesMax, slowReaderMs }: typeof NO_CUT,
): Promise<TestFleet> {
  const config = (base: GatewayConfig): GatewayConfig => ({
    ...base,
    limits: { ...base.limits, streamBufferBytesMax },
    timeouts: { ...base.timeouts, slowReaderMs },
  });
  return startTestFleet({ ...replicas, engine: { timeScale: 10, unsentBytesMax: 1 << 30 }, config });
}

const LINKED = { regions: { 'gcp-us-east4': 1 }, agentless: 0 };
const AGENTLESS = { regions: {}, agentless: 1 };

let fleet: TestFleet | null = null;
afterAll(() => fleet?.close());

/** Events of several kilobytes, so that buffers fill within moments. */
function ask(at: TestFleet, more: object): RawRequest {
  const wide = { model: MODEL, seed: 7, n: 4, logprobs: true, top_logprobs: 20, ignore_eos: true };
  return {
    path: '/v1/chat/completions',
    headers: [['Authorization', `Bearer ${at.apiKey}`], ['Content-Type', 'application/json']],
    body: JSON.stringify({ ...wide, stream: true, messages: [{ role: 'user', content: 'Hi' }], ...more }),
  };
}

const endedAttempts = (at: TestFleet) => at.engines.flatMap(({ server }) => server.log.list(0, 1_000));

describe('a client that stops reading', () => {
  test.each([
    ['a node link, by the bytes that wait for it', LINKED, { ...NO_CUT, streamBufferBytesMax: 64 * 1024 }],
    ['a node link, by the time it takes nothing', LINKED, { ...NO_CUT, slowReaderMs: 300 }],
    ['an agentless replica, by the time it takes nothing', AGENTLESS, { ...NO_CUT, slowReaderMs: 300 }],
  ])('is cut, over %s; the engine stops, and nobody else is held up', async (_way, replicas, bounds) => {
    fleet = await fleetWith(replicas, bounds);
    const here = fleet;
    const client = await RawClient.open(here.gateway.publicUrl);
    client.send(requestBytes(ask(here, { max_tokens: 30_000 })));
    await client.readHead();
    client.socket.pause();
    const other = await rawExchange(here.gateway.publicUrl, ask(here, { max_tokens: 20, n: 1 }));
    expect(eventsOf(other.body).at(-1)).toBe('[DONE]');
    await until(() => endedAttempts(here).length === 2, 'the engine stopped');
    expect(endedAttempts(here).map(({ outcome }) => outcome).sort()).toEqual(['aborted', 'finished']);
    client.socket.resume();
    await client.ended();
    expect(client.unread).not.toContain('[DONE]');
    await until(async () => {
      const { json } = await here.admin('GET', '/admin/v1/requests?limit=10');
      return (json['data'] as { outcome: string; status: number }[]).some(({ outcome, status }) => outcome === 'aborted' && status === 499);
    }, 'it is recorded');
    await here.close();
    fleet = null;
  });

  test.each([
    ['a node link', LINKED],
    ['an agentless replica', AGENTLESS],
  ])('and then goes on gets its stream whole and in order, over %s', async (_way, replicas) => {
    fleet = await fleetWith(replicas, NO_CUT);
    const here = fleet;
    const client = await RawClient.open(here.gateway.publicUrl);
    client.send(requestBytes(ask(here, { max_tokens: 800 })));
    const head = await client.readHead();
    client.socket.pause();
    await until(() => endedAttempts(here).length === 1, 'the engine has made it all');
    client.socket.resume();
    const events = eventsOf((await client.readBody(head)).body);
    expect(events.pop()).toBe('[DONE]');
    const tokens = events.filter((event) => event.includes('"top_logprobs"')).length;
    expect(tokens).toBe(4 * 800);
    await here.close();
    fleet = null;
  });
});
