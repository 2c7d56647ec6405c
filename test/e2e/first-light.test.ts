import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';

let fleet: TestFleet;
let client: OpenAI;

beforeAll(async () => {
  fleet = await startTestFleet({ agentless: 1 });
  client = new OpenAI({ baseURL: fleet.gateway.publicUrl, apiKey: fleet.apiKey });
});
afterAll(() => fleet.close());

test('an official SDK streams an answer whose pieces make up the answer in one piece', async () => {
  const ask = { model: MODEL, seed: 7, max_tokens: 40, messages: [{ role: 'user' as const, content: 'Tell me of the sea' }] };
  const whole = await client.chat.completions.create(ask);
  let text = '';
  let tokens = 0;
  for await (const chunk of await client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta.content ?? '';
    tokens = chunk.usage?.completion_tokens ?? tokens;
  }
  expect(text).toBe(whole.choices[0]?.message.content);
  expect(tokens).toBe(whole.usage?.completion_tokens);
});

test('what the gateway recorded is what the engines made', async () => {
  const { json } = await fleet.admin('GET', '/admin/v1/requests?limit=1000');
  const records = json['data'] as { usage: { prompt_tokens: number; completion_tokens: number } }[];
  const made = fleet.engines.map(({ model }) => model.totals());
  const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
  expect(sum(records.map(({ usage }) => usage.completion_tokens))).toBe(sum(made.map((totals) => totals.completionTokens)));
  expect(records.length).toBeGreaterThan(0);
});
