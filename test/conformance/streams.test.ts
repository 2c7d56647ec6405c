import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { GatewayConfig } from '../../src/config/index.ts';
import { NO_FAULTS, type RequestFaultKind } from '../../src/sim/index.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { eventsOf, RawClient, rawExchange, requestBytes, type RawRequest } from './raw-client.ts';

describe.each([
  ['a node link', { regions: { 'gcp-us-east4': 1 }, agentless: 0 }],
  ['an agentless replica', { regions: {}, agentless: 1 }],
])('over %s,', (_way, replicas) => {
  let fleet: TestFleet;
  beforeAll(async () => {
    const config = (base: GatewayConfig): GatewayConfig => ({ ...base, breaker: { ...base.breaker, failuresMax: 1_000_000 } });
    fleet = await startTestFleet({ ...replicas, config });
  });
  afterAll(() => fleet.close());
  afterEach(() => {
    for (const { faults } of fleet.engines) faults.clear();
  });

  const fail = (fault: RequestFaultKind): void => {
    for (const { faults } of fleet.engines) faults.set({ ...NO_FAULTS, requests: [{ ...fault, times: null, probability: 1 }] });
  };
  const ask = (more: object = {}, request: Partial<RawRequest> = {}): RawRequest => ({
    path: '/v1/chat/completions',
    body: JSON.stringify({ model: MODEL, seed: 7, max_tokens: 10, messages: [{ role: 'user', content: 'Tell me of the sea' }], ...more }),
    ...request,
    headers: [['Authorization', `Bearer ${fleet.apiKey}`], ['Content-Type', 'application/json'], ...(request.headers ?? [])],
  });
  const endedAttempts = () => fleet.engines.flatMap(({ server }) => server.log.list(0, 1_000));

  test('a stream has the headers of one, and is neither compressed nor measured', async () => {
    const answer = await rawExchange(fleet.gateway.publicUrl, ask({ stream: true }, { headers: [['Accept-Encoding', 'gzip, br, zstd']] }));
    expect(answer).toMatchObject({ status: 200, version: 'HTTP/1.1', framing: 'chunked' });
    const header = (name: string): string | undefined => answer.headers.get(name)?.join('|');
    expect(header('content-type')).toBe('text/event-stream');
    expect(header('cache-control')).toBe('no-cache');
    expect(header('x-accel-buffering')).toBe('no');
    expect(header('x-request-id')).toMatch(/^req_/);
    expect(header('openai-processing-ms')).toMatch(/^\d+$/);
    expect(header('openai-version')).toBe('2020-10-01');
    expect(header('openai-organization')).toBe('org_default');
    expect(header('content-encoding')).toBeUndefined();
    expect(header('content-length')).toBeUndefined();
    expect(header('server')).toBeUndefined();
    expect(eventsOf(answer.body).filter((event) => event === '[DONE]')).toEqual(['[DONE]']);
    expect(eventsOf(answer.body).at(-1)).toBe('[DONE]');
  });

  test('nothing of the fleet shows in an answer: no ids of engines, counts or attempts beyond the answer itself', async () => {
    const answer = await rawExchange(fleet.gateway.publicUrl, ask({ stream: true }));
    expect([...answer.headers.keys()].filter((name) => name.includes('settlement') || name === 'trailer')).toEqual([]);
    for (const event of eventsOf(answer.body).slice(0, -1)) expect(JSON.parse(event)).not.toHaveProperty('usage');
  });

  test('a connection is good for another request after a stream, and after an error', async () => {
    const client = await RawClient.open(fleet.gateway.publicUrl);
    const first = await client.exchange(ask({ stream: true }));
    const second = await client.exchange(ask({ n: 0 }));
    const third = await client.exchange(ask());
    const fourth = await client.exchange(ask({ stream: true }));
    expect([first.status, second.status, third.status, fourth.status]).toEqual([200, 400, 200, 200]);
    expect(fourth.body).toContain('[DONE]');
    expect(client.ending).toBe('open');
    client.close();
  });

  test('pipelined requests are answered in their order, each whole', async () => {
    const client = await RawClient.open(fleet.gateway.publicUrl);
    const models = ask({}, { method: 'GET', path: '/v1/models', body: '' });
    client.send(Buffer.concat([ask({ stream: true, max_tokens: 50 }), ask({ max_tokens: 2 }), models, ask({ stream: true, max_tokens: 3 })].map(requestBytes)));
    const [stream, whole, list, last] = [await client.readAnswer(), await client.readAnswer(), await client.readAnswer(), await client.readAnswer()];
    expect(eventsOf(stream.body).at(-1)).toBe('[DONE]');
    expect(JSON.parse(whole.body)).toMatchObject({ object: 'chat.completion', usage: { completion_tokens: 2 } });
    expect(JSON.parse(list.body)).toMatchObject({ object: 'list' });
    expect(eventsOf(last.body).at(-1)).toBe('[DONE]');
    expect(client.unread).toBe('');
    client.close();
  });

  test('a client that leaves takes its pipelined requests with it', async () => {
    const before = endedAttempts().length;
    const client = await RawClient.open(fleet.gateway.publicUrl);
    const long = { max_tokens: 30_000, ignore_eos: true };
    client.send(Buffer.concat([ask({ ...long, stream: true }), ask({ ...long, stream: true }), ask(long)].map(requestBytes)));
    await client.readHead();
    await until(() => fleet.engines.reduce((sum, { model }) => sum + model.load().runningRequests, 0) === 3, 'all three run');
    client.close();
    await until(() => endedAttempts().length === before + 3, 'all three are stopped');
    expect(endedAttempts().slice(before).map(({ outcome }) => outcome)).toEqual(['aborted', 'aborted', 'aborted']);
  });

  test('a stream whose client sends rubbish behind its request is whole, and the last of its connection', async () => {
    const client = await RawClient.open(fleet.gateway.publicUrl);
    client.send(requestBytes(ask({ stream: true, max_tokens: 200 })));
    const head = await client.readHead();
    client.send('this is no HTTP\r\n\r\n');
    expect(eventsOf((await client.readBody(head)).body).at(-1)).toBe('[DONE]');
    await client.ended();
    expect(client.unread).toBe('');
  });

  test('a client of HTTP/1.0 gets answers that end with the connection', async () => {
    const stream = await rawExchange(fleet.gateway.publicUrl, ask({ stream: true }, { version: 'HTTP/1.0' }));
    expect(stream.framing).toBe('close');
    expect(stream.headers.has('transfer-encoding')).toBe(false);
    expect(eventsOf(stream.body).at(-1)).toBe('[DONE]');
    const whole = await rawExchange(fleet.gateway.publicUrl, ask({}, { version: 'HTTP/1.0', hostless: true }));
    expect(JSON.parse(whole.body)).toMatchObject({ object: 'chat.completion' });
  });

  test.each(['midError', 'reset', 'truncate'] as const)('a stream that fails (%s) ends in one error event, in order, without [DONE]', async (kind) => {
    fail({ kind, afterTokens: 5 });
    const answer = await rawExchange(fleet.gateway.publicUrl, ask({ stream: true }));
    expect(answer).toMatchObject({ status: 200, framing: 'chunked' });
    const events = eventsOf(answer.body);
    const last = JSON.parse(events.pop() ?? '') as unknown;
    expect(last).toEqual({ error: { message: expect.any(String), type: 'server_error', param: null, code: 'upstream_error' } });
    expect(events.length).toBeGreaterThanOrEqual(5);
    expect(events).not.toContain('[DONE]');
    expect(events.filter((event) => event.includes('finish_reason":"'))).toEqual([]);
  });

  test('a stream whose engine crashes ends in an error event', async () => {
    fail({ kind: 'crash', afterTokens: 5 });
    const answer = await rawExchange(fleet.gateway.publicUrl, ask({ stream: true }));
    expect(JSON.parse(eventsOf(answer.body).at(-1) ?? '')).toMatchObject({ error: { code: 'upstream_error' } });
  });
});
