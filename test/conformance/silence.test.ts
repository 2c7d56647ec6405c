import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NO_FAULTS } from '../../src/sim/index.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { eventsOf, RawClient, rawExchange, requestBytes, type RawRequest } from './raw-client.ts';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startTestFleet({
    regions: { 'gcp-us-east4': 1 },
    config: (config) => ({
      ...config,
      timeouts: { ...config.timeouts, earlyHeadMs: 150, keepAliveCommentMs: 150, firstTokenMs: 3_000, stallMs: 3_000, totalMs: 8_000 },
      breaker: { ...config.breaker, failuresMax: 1_000_000 },
    }),
  });
});
afterAll(() => fleet.close());
afterEach(() => {
  for (const { faults } of fleet.engines) faults.clear();
});

/** So slow that each token comes after several signs of life. */
function slowDown(): void {
  for (const { faults } of fleet.engines) faults.set({ ...NO_FAULTS, slowdown: 450 });
}

function stallAfter(afterTokens: number): void {
  for (const { faults } of fleet.engines) {
    faults.set({ ...NO_FAULTS, requests: [{ kind: 'stall', afterTokens, times: null, probability: 1 }] });
  }
}

const body = { model: MODEL, seed: 7, max_tokens: 3, messages: [{ role: 'user' as const, content: 'Hi' }] };
const ask = (more: object = {}): RawRequest => ({
  path: '/v1/chat/completions',
  headers: [['Authorization', `Bearer ${fleet.apiKey}`], ['Content-Type', 'application/json']],
  body: JSON.stringify({ ...body, ...more }),
});

describe('a client that would hear nothing for long', () => {
  test('hears comments on its stream, before the first token and between tokens', async () => {
    slowDown();
    const answer = await rawExchange(fleet.gateway.publicUrl, ask({ stream: true }));
    const events = eventsOf(answer.body);
    expect(answer.headers.get('content-type')).toEqual(['text/event-stream']);
    expect(events[0]).toBe(': keep-alive');
    const firstToken = events.findIndex((event) => event.includes('"content":"') && !event.includes('"content":""'));
    expect(events.slice(firstToken)).toContain(': keep-alive');
    expect(events.at(-1)).toBe('[DONE]');
    const kinds = new Set(events.map((event) => (event === ': keep-alive' || event === '[DONE]' ? event : typeof JSON.parse(event))));
    expect(kinds).toEqual(new Set([': keep-alive', 'object', '[DONE]']));
  });

  test('gets the head early and white space before an answer in one piece', async () => {
    slowDown();
    const client = await RawClient.open(fleet.gateway.publicUrl);
    client.send(requestBytes(ask()));
    const head = await client.readHead();
    expect(head.headers.get('content-type')).toEqual(['application/json']);
    expect((await client.readChunk()).toString()).toBe(' ');
    expect((await client.readChunk()).toString()).toBe(' ');
    const rest = await client.readBody(head);
    expect(rest.body).toMatch(/^ *\{/);
    expect(JSON.parse(rest.body)).toMatchObject({ object: 'chat.completion' });
    client.close();
  });

  test('is understood by the SDK either way', async () => {
    slowDown();
    const client = new OpenAI({ baseURL: fleet.gateway.publicUrl, apiKey: fleet.apiKey, maxRetries: 0 });
    const whole = await client.chat.completions.create(body);
    const chunks = await Array.fromAsync(await client.chat.completions.create({ ...body, stream: true }));
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(whole.choices[0]?.message.content);
  });

  test.each([0, 2])('is told by an error event when an engine stalls after %i tokens, though the head is sent', async (afterTokens) => {
    stallAfter(afterTokens);
    const answer = await rawExchange(fleet.gateway.publicUrl, ask({ stream: true, max_tokens: 10 }));
    expect(answer.status).toBe(200);
    const events = eventsOf(answer.body);
    expect(events).toContain(': keep-alive');
    expect(JSON.parse(events.at(-1) ?? '')).toEqual({
      error: { message: expect.any(String), type: 'server_error', param: null, code: 'upstream_timeout' },
    });
  });

  test('gets the error object behind the white space when an answer in one piece never comes', async () => {
    stallAfter(0);
    const answer = await rawExchange(fleet.gateway.publicUrl, ask());
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'upstream_timeout', param: null } });
  });
});
