import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { startEngineProxy, type EngineProxy } from './engine-proxy.ts';
import { eventsOf, rawExchange, type RawAnswer } from './raw-client.ts';

let fleet: TestFleet;
let proxy: EngineProxy;
beforeAll(async () => {
  let engineUrl = '';
  proxy = await startEngineProxy(() => engineUrl);
  fleet = await startTestFleet({
    regions: {},
    agentless: 1,
    config(config) {
      engineUrl = String(config.replicas[0]?.url);
      return { ...config, replicas: config.replicas.map((replica) => ({ ...replica, url: proxy.url })) };
    },
  });
});
afterAll(async () => {
  await fleet.close();
  await proxy.close();
});

function post(body: string, path = '/v1/chat/completions'): Promise<RawAnswer> {
  const headers = [['Authorization', `Bearer ${fleet.apiKey}`], ['Content-Type', 'application/json']] as const;
  return rawExchange(fleet.gateway.publicUrl, { path, headers, body });
}

/** Members as a careful client might spell them: all of it must reach the engine as it stands. */
const MEMBERS = [
  '"messages" : [{"content":"\\u0068i \\ud83d\\ude00 é","role":"user"}]',
  '"temperature":0.70',
  '"top_k":1E1',
  '"min_p":1e-2',
  '"repetition_penalty":1.000',
  '"seed":9007199254740991',
  '"guided_json":{"b":1.0,"a":[1e3,-0.0,12345678901234567890]}',
  '"chat_template_kwargs":{"z":1,"a":{"thinking" : false}}',
  '"logit_bias":{"50256":-1.50,"11":2e0}',
  '"stop":["\\n\\n", "\\u0000"]',
  '"metadata":{"k":"v"}',
  '"user":"a\\/b"',
];

describe('what the gateway need not change', () => {
  test.each([
    ['of an answer in one piece', ''],
    ['of a stream', ',"stream":true'],
  ])('reaches the engine byte for byte, in a request %s', async (_name, more) => {
    const body = `{\n  ${MEMBERS.join(',\n  ')},\t"model":"${MODEL}" , "max_tokens":5${more} }`;
    expect((await post(body)).status).toBe(200);
    expect(proxy.sent()).toContain(body.slice(0, -2).trimEnd());
  });

  test('has the order in which the client wrote it, whatever order that is', async () => {
    const body = `{"stream":true,"stream_options":{"include_usage":true},${[...MEMBERS].reverse().join(',')},"max_tokens":5,"model":"${MODEL}"}`;
    expect((await post(body)).status).toBe(200);
    expect(proxy.sent()).toContain(body.slice(body.indexOf('"user"'), -1));
  });
});

describe('an answer whose bytes come in pieces cut anywhere', () => {
  const ask = `"model":"${MODEL}","seed":3,"max_tokens":30,"messages":[{"role":"user","content":"Tell me of \u{1f30a}"}]`;

  test('is streamed event by event, and ends in [DONE], once', async () => {
    const whole = JSON.parse((await post(`{${ask}}`)).body) as { choices: { message: { content: string } }[] };
    const events = eventsOf((await post(`{${ask},"stream":true}`)).body);
    expect(events.pop()).toBe('[DONE]');
    const chunks = events.map((event) => JSON.parse(event) as { choices: { delta: { content?: string } }[] });
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(whole.choices[0]?.message.content);
  });
});
