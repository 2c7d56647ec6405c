import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EngineAdapter } from '../../src/engine/index.ts';
import { continuationOf, ENGINE_KINDS, EngineClient, openaiAdapter, sglangAdapter, trtllmAdapter, vllmAdapter } from '../../src/engine/index.ts';
import type { AttemptTerms } from '../../src/openai/index.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { ManualClock } from '../support/manual-clock.ts';

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
  ['trtllm', (client) => trtllmAdapter(client, () => 3)],
  ['vllm', (client) => vllmAdapter(client, clock)],
];

/** As vLLM 0.2x writes it, shortened. */
function vllmMetrics({ running = 0, waiting = 0, use = 0, generated = 0, accepted = 0, drafts = 0 } = {}): string {
  const labels = '{engine="0",model_name="m"}';
  return `# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running${labels} ${running}.0
vllm:num_requests_waiting${labels} ${waiting}.0
vllm:kv_cache_usage_perc${labels} ${use}
vllm:generation_tokens_total${labels} ${generated}.0
vllm:generation_tokens_created${labels} 1.76e+09
vllm:spec_decode_num_accepted_tokens_total${labels} ${accepted}.0
vllm:spec_decode_num_drafts_total${labels} ${drafts}.0
vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="0",num_gpu_blocks="100"} 1.0
process_start_time_seconds 1.7614e+09
`;
}

const clock = new ManualClock();
let engine: FakeEngine;
let client: EngineClient;

beforeEach(async () => {
  engine = new FakeEngine();
  engine.metrics = vllmMetrics({ running: 3 });
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
    expect(load).toMatchObject({ rank: 0, queued: 0, queuedUncachedTokens: kind === 'sglang' ? 0 : null, prefillTokensPerS: null, decodeTokensPerS: null, acceptLength: null });
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
      speculative: { accept_length: 2.4, accept_rate: 0.7 },
      utilization: 0,
    };
    expect(await sglangAdapter(client).readLoad()).toEqual([
      { rank: 0, running: 4, queued: 2, queuedUncachedTokens: 300, kvTokensUsed: 700, kvTokens: 1000, prefillTokensPerS: null, decodeTokensPerS: 88.5, acceptLength: 2.4 },
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

describe('the vllm adapter alone', () => {
  test('reads what its metrics tell, and rates and acceptance from what is new between two looks', async () => {
    const adapter = vllmAdapter(client, clock);
    engine.metrics = vllmMetrics({ running: 2, waiting: 1, use: 0.25, generated: 1_000, accepted: 10, drafts: 20 });
    expect(await adapter.readLoad()).toEqual([
      { rank: 0, running: 2, queued: 1, queuedUncachedTokens: null, kvTokensUsed: 400, kvTokens: 1_600, prefillTokensPerS: null, decodeTokensPerS: null, acceptLength: null },
    ]);
    clock.advance(500);
    engine.metrics = vllmMetrics({ running: 2, generated: 1_250, accepted: 55, drafts: 80 });
    expect(await adapter.readLoad()).toMatchObject([{ decodeTokensPerS: 500, acceptLength: 1.75 }]);
    // It has started anew: its counters began again.
    clock.advance(500);
    engine.metrics = vllmMetrics({ generated: 7 });
    expect(await adapter.readLoad()).toMatchObject([{ decodeTokensPerS: null, acceptLength: null }]);
  });

  test('adds up its data-parallel engines, and knows the older name of its KV use', async () => {
    engine.metrics = ['0', '1'].map((rank) => vllmMetrics({ running: 1, use: rank === '0' ? 0.5 : 0 }).replaceAll('engine="0"', `engine="${rank}"`)).join('').replaceAll('kv_cache_usage_perc', 'gpu_cache_usage_perc');
    expect(await vllmAdapter(client, clock).readLoad()).toMatchObject([{ running: 2, kvTokens: 3_200, kvTokensUsed: 800 }]);
  });

  test('rejects metrics without its requests rather than calling the engine idle', async () => {
    engine.metrics = 'python_info 1.0\n';
    await expect(vllmAdapter(client, clock).readLoad()).rejects.toThrow('without its requests');
  });

  test('knows a start of the engine from another by the time of its process', async () => {
    expect(await vllmAdapter(client, clock).readInfo()).toMatchObject({ version: 'fake-1', instance: '1761400000', kvTokens: 1_600 });
  });

  test('isolates tenants, counts along, and is given no field that vLLM refuses', () => {
    const prepared: unknown = JSON.parse(vllmAdapter(client, clock).prepareBody('/v1/chat/completions', Buffer.from('{"stream":true}'), TERMS, 0).toString());
    expect(prepared).toEqual({ stream: true, stream_options: { include_usage: true, continuous_usage_stats: true }, cache_salt: 'ab12' });
  });

  test('goes on with an answer from its text, leaving the last message open', () => {
    const resume = { text: 'The sea', reasoning: '', tokens: 2, ids: null };
    const adapter = vllmAdapter(client, clock, () => 'text');
    const body = Buffer.from('{"messages":[{"role":"user","content":"Go on"}]}');
    expect(JSON.parse(adapter.prepareBody('/v1/chat/completions', body, { ...TERMS, resume }, 0).toString())).toMatchObject({ continue_final_message: true, add_generation_prompt: false });
  });
});

test('a prefix cache is emptied where the engine has a way', async () => {
  for (const [, make] of KINDS) await make(client).flush?.();
  expect(engine.flushes).toBe(2);
});

test('how an answer goes on, left to itself, is as far as each kind of engine is known', () => {
  expect(ENGINE_KINDS.map((kind) => continuationOf('auto', kind, { tellsTokenIds: true }))).toEqual(['tokens', 'text', 'none', 'none']);
});

test('the openai adapter reports the daemon’s own count', async () => {
  expect(await openaiAdapter(client, () => 3).readLoad()).toMatchObject([{ running: 3 }]);
});
