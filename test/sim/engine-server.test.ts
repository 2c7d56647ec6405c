import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { chat, engine, json, post, rawPost, readStream, records } from './engine-client.ts';
import { eventually } from '../support/eventually.ts';

const CHAT = '/v1/chat/completions';

describe('simulated engine', () => {
  it('streams a role, a chunk per token, a finish, usage and the end, and counts the same as its record', async () => {
    const one = await engine();
    const answer = await readStream(await post(one, CHAT, chat('Hello', { stream: true, rid: 'r1', stream_options: { include_usage: true } })));
    const [first] = answer.chunks;
    expect(first?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(answer.chunks.every((chunk) => chunk.id === 'r1')).toBe(true);
    expect(answer.chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    const usage = answer.chunks.at(-1)?.usage;
    expect(answer.chunks.at(-1)?.choices).toEqual([]);
    expect(answer.chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    // The end mark is a token without a chunk; role, finish and usage are chunks without a token.
    expect(usage?.completion_tokens).toBe(answer.chunks.length - 2);
    expect(answer.isDone).toBe(true);
    const [record] = await records(one, 1);
    expect(record).toMatchObject({ rid: 'r1', prompt: usage?.prompt_tokens, completion: usage?.completion_tokens, outcome: 'finished' });
  });

  it('says nothing of usage in a stream that did not ask for it, and counts along when asked to', async () => {
    const one = await engine();
    const plain = await readStream(await post(one, CHAT, chat('Hello', { stream: true })));
    expect(plain.chunks.some((chunk) => 'usage' in chunk)).toBe(false);
    const counting = await readStream(await post(one, CHAT, chat('Hello', { stream: true, stream_options: { continuous_usage_stats: true } })));
    const counts = counting.chunks.map((chunk) => chunk.usage?.completion_tokens ?? -1);
    expect(counts.slice(0, 4)).toEqual([0, 1, 2, 3]);
    expect(counts.at(-1)).toBe(counts.length - 1);
    expect(counting.text).toBe(plain.text);
  });

  it('answers the same in one piece, and finds the prompt in its cache the second time', async () => {
    const one = await engine();
    const long = 'the '.repeat(300);
    const streamed = await readStream(await post(one, CHAT, chat(long, { stream: true })));
    const whole = await json(await post(one, CHAT, chat(long)));
    expect(whole).toMatchObject({
      object: 'chat.completion',
      choices: [{ message: { role: 'assistant', content: streamed.text }, finish_reason: 'stop' }],
      usage: { prompt_tokens_details: { cached_tokens: 256 } },
    });
    const salted = await json(await post(one, CHAT, chat(long, { cache_salt: 'ab' })));
    expect(salted).toMatchObject({ usage: { prompt_tokens_details: null } });
  });

  it('continues by token ids and by text exactly where it was cut', async () => {
    const one = await engine();
    const ask = { stream: true, max_tokens: 60, ignore_eos: true, seed: 5 };
    const whole = await readStream(await post(one, CHAT, chat('Go on', { ...ask, return_token_ids: true, return_prompt_token_ids: true })));
    const prompt = whole.chunks[0]?.choices[0]?.prompt_token_ids ?? [];
    expect(whole.tokenIds).toHaveLength(60);
    for (const k of [1, 17, 59]) {
      const input_ids = [...prompt, ...whole.tokenIds.slice(0, k)];
      const byIds = await readStream(await post(one, CHAT, chat('', { ...ask, max_tokens: 60 - k, input_ids, return_token_ids: true })));
      expect(byIds.tokenIds).toEqual(whole.tokenIds.slice(k));
      const said = whole.chunks.slice(1, k + 1).map((chunk) => chunk.choices[0]?.delta?.content ?? '').join('');
      const messages = [{ role: 'user', content: 'Go on' }, { role: 'assistant', content: said }];
      const byText = await readStream(await post(one, CHAT, { ...ask, max_tokens: 60 - k, messages, continue_final_message: true }));
      expect(said + byText.text).toBe(whole.text);
      expect(said + byIds.text).toBe(whole.text);
    }
  });

  it('reasons first when told to think, and counts it', async () => {
    const one = await engine();
    const options = { stream: true, chat_template_kwargs: { thinking: true }, stream_options: { include_usage: true } };
    const answer = await readStream(await post(one, CHAT, chat('Why?', options)));
    const reasoned = answer.chunks.filter((chunk) => chunk.choices[0]?.delta?.reasoning_content !== undefined);
    expect(reasoned.length).toBeGreaterThan(1);
    expect(answer.chunks.at(-1)?.usage?.reasoning_tokens).toBe(reasoned.length);
    expect(answer.text).not.toBe('');
  });

  it('calls a function, writes JSON and gives several choices with probabilities', async () => {
    const one = await engine();
    const parameters = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } };
    const tools = [{ type: 'function', function: { name: 'weather', parameters } }];
    const call = await readStream(await post(one, CHAT, chat('Rain?', { stream: true, tools, tool_choice: 'required' })));
    const deltas = call.chunks.flatMap((chunk) => chunk.choices[0]?.delta?.tool_calls ?? []);
    expect(deltas[0]?.function.name).toBe('weather');
    expect(JSON.parse(deltas.map((delta) => delta.function.arguments).join(''))).toEqual({ city: 'San Francisco café', days: 42 });
    expect(call.chunks.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls');
    const bound = await json(await post(one, CHAT, chat('JSON', { response_format: { type: 'json_object' }, n: 3, logprobs: true, top_logprobs: 2 })));
    const choices = bound['choices'] as { message: { content: string }; logprobs: { content: { top_logprobs: unknown[] }[] } }[];
    expect(choices).toHaveLength(3);
    expect(JSON.parse(choices[2]?.message.content ?? '')).toHaveProperty('answer');
    expect(choices[0]?.logprobs.content[0]?.top_logprobs).toHaveLength(2);
  });

  it('completes texts, several prompts at once, to the tokens asked for', async () => {
    const one = await engine();
    const body = await json(await post(one, '/v1/completions', { prompt: ['Once', 'Twice'], n: 2, max_tokens: 7, ignore_eos: true }));
    expect(body).toMatchObject({ object: 'text_completion', usage: { prompt_tokens: 3, completion_tokens: 28 } });
    const stopped = await json(await post(one, '/v1/completions', { prompt: 'Once', max_tokens: 500, stop: ['.'] }));
    expect(stopped).toMatchObject({ choices: [{ finish_reason: 'stop', matched_stop: '.' }] });
  });

  it('embeds deterministically, in numbers or base64', async () => {
    const one = await engine();
    const ask = { model: 'deepseek-v3', input: ['a b', 'c'], dimensions: 8 };
    const plain = (await json(await post(one, '/v1/embeddings', ask)))['data'] as { embedding: number[] }[];
    const coded = (await json(await post(one, '/v1/embeddings', { ...ask, encoding_format: 'base64' })))['data'] as { embedding: string }[];
    const bytes = Buffer.from(coded[1]?.embedding ?? '', 'base64');
    expect(Array.from({ length: 8 }, (_, i) => bytes.readFloatLE(i * 4))).toEqual(plain[1]?.embedding);
    expect((await records(one, 2))[0]).toMatchObject({ completion: 0, outcome: 'finished' });
  });

  it('stops requests by the beginning of their rid, tells them so, and counts what was made', async () => {
    const one = await engine({ timeScale: 1 });
    const endless = { stream: true, ignore_eos: true, max_tokens: 5_000, stream_options: { include_usage: true } };
    const streams = await Promise.all(['x-1', 'x-2', 'y-1'].map((rid) => post(one, CHAT, chat('Hi', { ...endless, rid }))));
    const reads = streams.map(readStream);
    expect((await post(one, '/flush_cache', {})).status).toBe(400);
    expect((await post(one, '/abort_request', { rid: 'x-' })).status).toBe(200);
    const [aborted] = await Promise.all(reads.slice(0, 2));
    expect(aborted?.isDone).toBe(true);
    expect(aborted?.chunks.at(-2)?.choices[0]?.finish_reason).toBe('abort');
    const stopped = await records(one, 2);
    expect(stopped.map((record) => record.rid).toSorted()).toEqual(['x-1', 'x-2']);
    expect(stopped.find((record) => record.rid === 'x-1')?.completion).toBe(aborted?.chunks.at(-1)?.usage?.completion_tokens);
    await post(one, '/abort_request', { abort_all: true });
    expect((await records(one, 3))[2]).toMatchObject({ rid: 'y-1', outcome: 'aborted' });
    await Promise.all(reads);
    expect((await post(one, '/flush_cache', {})).status).toBe(200);
  });

  it('stops at once when its client goes away, streaming or not, begun or not', async () => {
    const one = await engine({ timeScale: 1 });
    const endless = { ignore_eos: true, max_tokens: 5_000 };
    const streaming = rawPost(one.port, CHAT, chat('Hi', { ...endless, stream: true, rid: 's' }));
    await once(streaming, 'data');
    streaming.destroy();
    await records(one, 1);
    const silent = rawPost(one.port, CHAT, chat('Hi', { ...endless, rid: 'n' }));
    await eventually(() => expect(one.model.load().runningRequests + one.model.load().waitingRequests).toBeGreaterThan(0));
    silent.destroy();
    const ended = await records(one, 2);
    expect(ended.map((record) => record.outcome)).toEqual(['aborted', 'aborted']);
    expect(ended.find((record) => record.rid === 's')?.completion).toBeGreaterThan(0);
    expect(one.model.load()).toMatchObject({ runningRequests: 0, waitingRequests: 0 });
  });

  it('takes a request that arrives in pieces cut anywhere', async () => {
    const one = await engine();
    const text = JSON.stringify(chat('naïve 漢字 🙂', { stream: true, max_tokens: 3 }));
    const bytes = Buffer.from(`POST ${CHAT} HTTP/1.1\r\nhost: e\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    const socket = connect({ port: one.port, host: '127.0.0.1', noDelay: true });
    let answer = '';
    socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
    for (const byte of bytes) socket.write(Buffer.of(byte));
    await once(socket, 'close');
    expect(answer).toContain('data: [DONE]');
  });

  it('reports its load, its figures and its metrics in the fields of SGLang', async () => {
    const one = await engine({ engine: { kvTokens: 65_536 } });
    await (await post(one, CHAT, chat('Hello', { max_tokens: 5 }))).text();
    const get = async (path: string): Promise<unknown> => (await fetch(one.url + path)).json();
    expect(await get('/v1/loads')).toMatchObject({
      loads: [{ dp_rank: 0, num_running_reqs: 0, num_waiting_reqs: 0, num_waiting_uncached_tokens: 0, max_total_num_tokens: 65_536, max_running_requests: 256 }],
    });
    expect(await get('/get_load')).toMatchObject([{ num_reqs: 0 }]);
    for (const path of ['/server_info', '/get_server_info']) expect(await get(path)).toMatchObject({ max_total_num_tokens: 65_536 });
    for (const path of ['/model_info', '/get_model_info']) expect(await get(path)).toMatchObject({ model_path: 'deepseek-v3' });
    expect(await get('/v1/models')).toMatchObject({ data: [{ id: 'deepseek-v3' }] });
    expect(await (await fetch(`${one.url}/metrics`)).text()).toContain('sglang:generation_tokens_total{model_name="deepseek-v3"} 5');
    expect(await get('/sim/totals')).toMatchObject({ finished: 1, completion: 5 });
    expect((await fetch(`${one.url}/health`)).status).toBe(200);
  });

  it('refuses bad input with a reason and stays alive', async () => {
    const one = await engine({ engine: { contextTokens: 1_000 }, bodyBytesMax: 100_000 });
    const bad: [string, unknown, number, string][] = [
      [CHAT, '{"messages":', 400, 'JSON'],
      [CHAT, '[]', 400, 'object'],
      [CHAT, {}, 400, 'messages'],
      [CHAT, { messages: [7] }, 400, 'messages[0]'],
      [CHAT, chat('a', { n: 9 }), 400, 'n may be'],
      [CHAT, chat('a', { max_tokens: 0 }), 400, 'max_tokens'],
      [CHAT, chat('a', { stream: 'yes' }), 400, 'stream'],
      [CHAT, chat('a', { input_ids: ['x'] }), 400, 'input_ids'],
      [CHAT, chat('a', { tool_choice: 'required' }), 400, 'tool_choice'],
      [CHAT, chat('the '.repeat(2_000)), 400, 'context length'],
      [CHAT, chat('a', { max_tokens: 1_000 }), 400, 'context length'],
      [CHAT, '['.repeat(50_000), 400, 'JSON'],
      [CHAT, chat('x'.repeat(200_000)), 413, 'larger'],
      ['/v1/completions', { prompt: [] }, 400, 'prompt'],
      ['/v1/embeddings', { input: 'a', dimensions: -1 }, 400, 'dimensions'],
      ['/abort_request', { rid: '' }, 400, 'rid'],
      ['/sim/faults', { requests: [{ kind: 'flood' }] }, 400, 'requests[0].kind'],
      ['/sim/faults', { slowdown: 'much' }, 400, 'slowdown'],
      ['/nothing', {}, 404, '/nothing'],
      ['/health', {}, 405, 'GET'],
    ];
    for (const [path, body, status, reason] of bad) {
      const response = await post(one, path, body);
      const error = await json(response);
      expect([path, response.status, error['object'], error['code']]).toEqual([path, status, 'error', status]);
      expect(error['message']).toContain(reason);
    }
    expect((await post(one, CHAT, chat('a', { max_tokens: 2, top_k: 5, made_up: {} }))).status).toBe(200);
  });

  it('refuses a full queue with 503 and asks for its key where it has one', async () => {
    const one = await engine({ timeScale: 1, apiKey: 'secret', engine: { maxRunningRequests: 1, maxQueuedRequests: 0 } });
    expect((await post(one, CHAT, chat('a'))).status).toBe(401);
    const headers = { authorization: 'Bearer secret' };
    const ask = (): Promise<Response> =>
      fetch(one.url + CHAT, { method: 'POST', headers, body: JSON.stringify(chat('a', { stream: true, ignore_eos: true, max_tokens: 1_000 })) });
    const first = await ask();
    const second = await ask();
    expect(second.status).toBe(503);
    await second.text();
    await first.body?.cancel();
    await eventually(() => expect(one.model.load().runningRequests).toBe(0));
  });
});
