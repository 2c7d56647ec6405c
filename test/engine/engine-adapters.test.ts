import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EngineAdapter } from '../../src/engine/index.ts';
import { openaiAdapter } from '../../src/engine/index.ts';
import { sglangAdapter } from '../../src/engine/index.ts';
import { EngineClient } from '../../src/engine/index.ts';
import type { AttemptTerms } from '../../src/openai/index.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const TERMS: AttemptTerms = {
  id: 'attempt-1',
  replica: 'n1',
  deadlineMs: 1000,
  priority: 0,
  cacheSalt: 'ab12',
  streamed: true,
  usageAsked: false, continuable: false, resume: null,
};

const KINDS: readonly [string, (client: EngineClient) => EngineAdapter][] = [
  ['sglang', sglangAdapter],
  ['openai', (client) => openaiAdapter(client, () => 3)],
];

let engine: FakeEngine;
let client: EngineClient;

beforeEach(async () => {
  engine = new FakeEngine();
  await engine.start();
  client = new EngineClient({ url: engine.url, attemptsMax: 4, controlConnectionsMax: 2, connectTimeoutMs: 1000, controlTimeoutMs: 1000 });
});

afterEach(async () => {
  await client.close();
  await engine.stop();
});

describe.each(KINDS)('the %s adapter', (kind, make) => {
  test('bears its name and a path that answers when the engine is ready', async () => {
    expect(make(client).kind).toBe(kind);
    await expect(client.control('GET', make(client).readinessPath)).resolves.toBeTypeOf('string');
  });

  test('asks for the final count of a stream and keeps every other byte of the client', () => {
    const body = Buffer.from('{"model":"m", "temperature":1.0,"stream":true}');
    const prepared = make(client).prepareBody('/v1/chat/completions', body, TERMS, 0).toString();
    expect(prepared.startsWith('{"model":"m", "temperature":1.0,"stream":true,')).toBe(true);
    expect(JSON.parse(prepared)).toMatchObject({ stream_options: { include_usage: true } });
  });

  test('asks for no stream options without a stream', () => {
    const prepared = make(client).prepareBody('/v1/chat/completions', Buffer.from('{"model":"m"}'), { ...TERMS, streamed: false }, 0);
    expect(JSON.parse(prepared.toString())).not.toHaveProperty('stream_options');
  });

  test('reads who the engine is', async () => {
    expect(await make(client).readInfo()).toMatchObject({ contextTokens: 4096, ranks: 1 });
  });

  test('reports a load for each rank, and null for what it does not know', async () => {
    const [load] = await make(client).readLoad();
    expect(load).toMatchObject({ rank: 0, queued: 0, kvTokensUsed: null, kvTokens: null, prefillTokensPerS: null, decodeTokensPerS: null });
  });

  test('rejects when the engine is gone', async () => {
    await engine.stop();
    await expect(make(client).readInfo()).rejects.toThrow('ECONNREFUSED');
  });
});

describe('the sglang adapter alone', () => {
  test('reads the whole load of a rank', async () => {
    engine.load = {
      dp_rank: 0,
      num_running_reqs: 4,
      num_waiting_reqs: 2,
      num_waiting_uncached_tokens: 300,
      num_used_tokens: 700,
      num_total_tokens: 5000,
      max_total_num_tokens: 1000,
      token_usage: 0.1,
      gen_throughput: 88.5,
      utilization: 0,
    };
    expect(await sglangAdapter(client).readLoad()).toEqual([
      { rank: 0, running: 4, queued: 2, queuedUncachedTokens: 300, kvTokensUsed: 700, kvTokens: 1000, prefillTokensPerS: null, decodeTokensPerS: 88.5 },
    ]);
  });

  test('falls back to what older versions have', async () => {
    engine.missing.add('/v1/loads').add('/get_server_info');
    const adapter = sglangAdapter(client);
    expect(await adapter.readLoad()).toMatchObject([{ running: 3, queued: 2, queuedUncachedTokens: null, kvTokensUsed: null }]);
    expect(await adapter.readInfo()).toMatchObject({ kvTokens: 1000 });
  });

  test('rejects a load without its counts rather than calling the engine idle', async () => {
    engine.load = { dp_rank: 0 };
    await expect(sglangAdapter(client).readLoad()).rejects.toThrow('without its requests');
  });

  test('sends a further rank its requests, and no salt that is empty', () => {
    const prepared = sglangAdapter(client).prepareBody('/v1/chat/completions', Buffer.from('{}'), { ...TERMS, cacheSalt: '' }, 3);
    expect(JSON.parse(prepared.toString())).toMatchObject({ routed_dp_rank: 3, rid: 'attempt-1' });
    expect(JSON.parse(prepared.toString())).not.toHaveProperty('cache_salt');
  });

  test('aborts by the attempt’s id', async () => {
    await sglangAdapter(client).abort?.('attempt-1');
    expect(engine.aborts).toEqual(['attempt-1']);
  });
});

test('the openai adapter reports the daemon’s own count', async () => {
  expect(await openaiAdapter(client, () => 3).readLoad()).toMatchObject([{ running: 3 }]);
});
