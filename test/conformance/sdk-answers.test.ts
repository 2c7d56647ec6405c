import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { SDKS } from './sdks.ts';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startTestFleet({ agentless: 1 });
});
afterAll(() => fleet.close());

const messages = [{ role: 'user' as const, content: 'Tell me of the sea' }];
const ask = { model: MODEL, seed: 7, max_tokens: 40, messages };
const prompt = { model: MODEL, seed: 7, max_tokens: 20, prompt: 'Once upon a time' };
const schema = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city', 'days'] };
const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters: schema } }];

type Usage = OpenAI.CompletionUsage & { prompt_cache_hit_tokens: number; prompt_cache_miss_tokens: number };

function expectUsage(usage: OpenAI.CompletionUsage | null | undefined): void {
  const { prompt_tokens, completion_tokens, total_tokens, ...details } = usage as Usage;
  expect(total_tokens).toBe(prompt_tokens + completion_tokens);
  expect(details.prompt_tokens_details?.cached_tokens).toBeLessThanOrEqual(prompt_tokens);
  expect(details.completion_tokens_details?.reasoning_tokens).toBeLessThanOrEqual(completion_tokens);
  expect(details.prompt_cache_hit_tokens).toBe(details.prompt_tokens_details?.cached_tokens);
  expect(details.prompt_cache_hit_tokens + details.prompt_cache_miss_tokens).toBe(prompt_tokens);
}

describe.each(SDKS)('$name', ({ Sdk }) => {
  let client: OpenAI;
  beforeAll(() => {
    client = new Sdk({ baseURL: fleet.gateway.publicUrl, apiKey: fleet.apiKey, maxRetries: 0 });
  });

  async function chunksOf(more: object = {}): Promise<OpenAI.ChatCompletionChunk[]> {
    return Array.fromAsync(await client.chat.completions.create({ ...ask, ...more, stream: true }));
  }

  test('gets a chat completion in one piece', async () => {
    const answer = await client.chat.completions.create(ask);
    expect(answer.object).toBe('chat.completion');
    expect(answer.model).toBe(MODEL);
    expect(answer.choices[0]?.message.role).toBe('assistant');
    expect(answer.choices[0]?.message.content).not.toBe('');
    expectUsage(answer.usage);
  });

  test('streams the same answer, with one id and one time on all chunks, and no usage unless asked', async () => {
    const whole = await client.chat.completions.create(ask);
    const chunks = await chunksOf();
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(whole.choices[0]?.message.content);
    expect(new Set(chunks.map(({ id, created }) => `${id} ${created}`)).size).toBe(1);
    expect(chunks.filter((chunk) => 'usage' in chunk)).toEqual([]);
    expect(chunks.every((chunk) => chunk.choices.length === 1)).toBe(true);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe(whole.choices[0]?.finish_reason);
  });

  test('gets usage on one extra chunk without choices, and null on all others, when it asks', async () => {
    const chunks = await chunksOf({ stream_options: { include_usage: true } });
    const last = chunks.pop();
    expect(last?.choices).toEqual([]);
    expectUsage(last?.usage);
    expect(chunks.every((chunk) => chunk.usage === null && chunk.choices.length === 1)).toBe(true);
    expect(last?.usage?.completion_tokens).toBe((await client.chat.completions.create(ask)).usage?.completion_tokens);
  });

  test("puts a stream together with the SDK's own helper", async () => {
    const stream = client.chat.completions.stream({ ...ask, stream_options: { include_usage: true } });
    const final = await stream.finalChatCompletion();
    const whole = await client.chat.completions.create(ask);
    expect(final.choices[0]?.message.content).toBe(whole.choices[0]?.message.content);
    expect(final.usage?.completion_tokens).toBe(whole.usage?.completion_tokens);
  });

  test('streams the arguments of a tool call in pieces that make up its JSON', async () => {
    const choice = { tools, tool_choice: { type: 'function', function: { name: 'get_weather' } } };
    const calls = (await chunksOf(choice)).flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
    expect(calls[0]).toMatchObject({ index: 0, type: 'function', function: { name: 'get_weather' } });
    const streamed = calls.map((call) => call.function?.arguments ?? '').join('');
    expect(Object.keys(JSON.parse(streamed) as object)).toEqual(['city', 'days']);
    const whole = await client.chat.completions.create({ ...ask, tools, tool_choice: 'required' });
    expect(whole.choices[0]?.finish_reason).toBe('tool_calls');
    expect(whole.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: 'get_weather', arguments: streamed } });
    const final = await client.chat.completions.stream({ ...ask, tools, tool_choice: 'required' }).finalChatCompletion();
    expect(final.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { arguments: streamed } });
  });

  test('carries a tool result and an earlier refusal back to the engine', async () => {
    const call = { id: 'call_1', type: 'function' as const, function: { name: 'get_weather', arguments: '{"city":"Ghent","days":1}' } };
    const answer = await client.chat.completions.create({
      ...ask,
      tools,
      messages: [
        ...messages,
        { role: 'assistant', content: null, refusal: 'no', tool_calls: [call] },
        { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'text', text: 'rain' }] },
      ],
    });
    const without = await client.chat.completions.create({ ...ask, tools });
    expect(answer.usage?.prompt_tokens).toBeGreaterThan(without.usage?.prompt_tokens ?? Infinity);
  });

  test('gets JSON after a schema, or any JSON object, by response_format', async () => {
    const format = { type: 'json_schema' as const, json_schema: { name: 'trip', schema } };
    const answer = await client.chat.completions.create({ ...ask, response_format: format });
    expect(Object.keys(JSON.parse(answer.choices[0]?.message.content ?? '') as object)).toEqual(['city', 'days']);
    const any = await client.chat.completions.create({ ...ask, response_format: { type: 'json_object' } });
    expect(typeof JSON.parse(any.choices[0]?.message.content ?? '')).toBe('object');
  });

  test('gets log probabilities, streamed and not', async () => {
    const wanted = { logprobs: true, top_logprobs: 2 };
    const whole = await client.chat.completions.create({ ...ask, ...wanted });
    const tokens = whole.choices[0]?.logprobs?.content ?? [];
    expect(tokens[0]?.top_logprobs.length).toBe(2);
    expect(tokens[0]?.logprob).toBeLessThanOrEqual(0);
    const streamed = (await chunksOf(wanted)).flatMap((chunk) => chunk.choices[0]?.logprobs?.content ?? []);
    expect(streamed.length).toBeGreaterThan(1);
  });

  test('gets n answers, each whole, streamed and not', async () => {
    const whole = await client.chat.completions.create({ ...ask, n: 2 });
    expect(whole.choices.map(({ index }) => index)).toEqual([0, 1]);
    const texts = ['', ''];
    for (const { choices } of await chunksOf({ n: 2 })) for (const { index, delta } of choices) texts[index] += delta.content ?? '';
    expect(texts).toEqual(whole.choices.map(({ message }) => message.content));
  });

  test('gets the same answer for the same seed, and another for another', async () => {
    const text = async (seed: number) => (await client.chat.completions.create({ ...ask, seed })).choices[0]?.message.content;
    const [first, again, other] = await Promise.all([text(7), text(7), text(8)]);
    expect(first).toBe(again);
    expect(first).not.toBe(other);
  });

  test('stops where it is told, and where max_tokens says', async () => {
    const text = (await client.chat.completions.create(ask)).choices[0]?.message.content ?? '';
    const stop = text.slice(10, 14);
    const stopped = await client.chat.completions.create({ ...ask, stop: [stop] });
    expect(stopped.choices[0]?.message.content).toBe(text.slice(0, text.indexOf(stop)));
    expect(stopped.choices[0]?.finish_reason).toBe('stop');
    const short = await client.chat.completions.create({ ...ask, max_tokens: null, max_completion_tokens: 3 });
    expect(short.choices[0]?.finish_reason).toBe('length');
    expect(short.usage?.completion_tokens).toBe(3);
  });

  test('gets reasoning_content, and gives it back', async () => {
    const thinking = { chat_template_kwargs: { thinking: true }, max_tokens: 400 };
    const chunks = await chunksOf({ ...thinking, stream_options: { include_usage: true } });
    const reasoning = chunks.map((chunk) => Reflect.get(chunk.choices[0]?.delta ?? {}, 'reasoning_content') ?? '').join('');
    expect(reasoning).not.toBe('');
    expect(chunks.at(-1)?.usage?.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(0);
    const whole = await client.chat.completions.create({ ...ask, ...thinking });
    expect(Reflect.get(whole.choices[0]?.message ?? {}, 'reasoning_content')).toBe(reasoning);
    const before = { role: 'assistant' as const, content: 'Salt.', reasoning_content: reasoning };
    const goOn = await client.chat.completions.create({ ...ask, messages: [...messages, before, { role: 'user', content: 'And?' }] });
    expect(goOn.choices[0]?.message.content).not.toBe('');
  });

  test('completes text, streamed and not, for one prompt, several, and token ids', async () => {
    const whole = await client.completions.create({ ...prompt, logprobs: 1 });
    expect(whole.object).toBe('text_completion');
    expect(whole.choices[0]?.logprobs?.tokens?.length).toBeGreaterThan(0);
    expectUsage(whole.usage);
    const chunks = await Array.fromAsync(await client.completions.create({ ...prompt, stream: true, stream_options: { include_usage: true } }));
    expect(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join('')).toBe(whole.choices[0]?.text);
    expectUsage(chunks.pop()?.usage);
    expect(chunks.every((chunk) => chunk.usage === null)).toBe(true);
    const several = await client.completions.create({ ...prompt, prompt: ['One', 'Two'] });
    expect(several.choices.length).toBe(2);
    const ids = await client.completions.create({ ...prompt, prompt: [11, 12, 13] });
    expect(ids.usage?.prompt_tokens).toBe(3);
  });

  test('gets embeddings: by default as base64 under way, as floats when asked, both alike', async () => {
    const input = ['the sea', 'the land'];
    const byDefault = await client.embeddings.create({ model: MODEL, input });
    const floats = await client.embeddings.create({ model: MODEL, input, encoding_format: 'float' });
    expect(byDefault.data.map(({ index }) => index)).toEqual([0, 1]);
    const vectors = floats.data.map(({ embedding }) => embedding);
    expect(byDefault.data.map(({ embedding }) => [...embedding])).toEqual(vectors);
    const raw = await client.embeddings.create({ model: MODEL, input, encoding_format: 'base64', dimensions: 8 });
    expect(Buffer.from(String(raw.data[0]?.embedding), 'base64').length).toBe(8 * Float32Array.BYTES_PER_ELEMENT);
    expect(floats.usage.prompt_tokens).toBeGreaterThan(0);
    expect(floats.usage.total_tokens).toBe(floats.usage.prompt_tokens);
  });

  test('lists the models and retrieves one', async () => {
    const list = await Array.fromAsync(client.models.list());
    expect(list.map(({ id }) => id)).toEqual([MODEL]);
    expect(await client.models.retrieve(MODEL)).toEqual(list[0]);
  });

  test('finds the request id and the headers of every answer', async () => {
    const { data, response, request_id: id } = await client.chat.completions.create(ask).withResponse();
    const { response: streamed } = await client.chat.completions.create({ ...ask, stream: true }).withResponse();
    const { response: models } = await client.models.list().withResponse();
    expect(Reflect.get(data, '_request_id')).toBe(id);
    for (const { headers } of [response, streamed, models]) {
      expect(headers.get('x-request-id')).toMatch(/^req_/);
      expect(headers.get('openai-processing-ms')).toMatch(/^\d+$/);
      expect(headers.get('openai-version')).toBe('2020-10-01');
      expect(headers.get('openai-organization')).toBe('org_default');
    }
    expect(response.headers.get('x-request-id')).toBe(id);
    await streamed.body?.cancel();
    const { json } = await fleet.admin('GET', `/admin/v1/requests/${id}`);
    expect(json).toMatchObject({ id, outcome: 'completed', usage: { completion_tokens: data.usage?.completion_tokens } });
  });

  test("works at DeepSeek's base URL, without /v1", async () => {
    const deepseek = new Sdk({ baseURL: fleet.gateway.publicUrl.replace('/v1', ''), apiKey: fleet.apiKey, maxRetries: 0 });
    const answer = await deepseek.chat.completions.create(ask);
    expect(answer.choices[0]?.message.content).not.toBe('');
    expect((await deepseek.models.list()).data.length).toBe(1);
    expect(await Array.fromAsync(await deepseek.completions.create({ ...prompt, stream: true }))).not.toEqual([]);
  });

  test('is served when it names its own organisation and project', async () => {
    const named = new Sdk({ baseURL: fleet.gateway.publicUrl, apiKey: fleet.apiKey, organization: 'org_default', project: 'proj_default' });
    expect((await named.chat.completions.create(ask)).choices.length).toBe(1);
  });
});
