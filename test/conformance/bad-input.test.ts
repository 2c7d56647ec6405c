import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newApiKey } from '../../src/accounts/api-key.ts';
import { ENGINE_CONTROL } from '../../src/gateway/bodies/sampling.ts';
import { ADMIN_KEY, MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { RawClient, rawExchange, requestBytes, type RawAnswer, type RawRequest } from './raw-client.ts';

const RECEIVE_MS = 500;
const MIB = 1024 * 1024;

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startTestFleet({
    regions: { 'gcp-us-east4': 1 },
    config: (config) => ({ ...config, timeouts: { ...config.timeouts, receiveMs: RECEIVE_MS } }),
  });
});
afterAll(() => fleet.close());

type Headers = readonly (readonly [name: string, value: string])[];

interface Expected {
  readonly status: number;
  readonly code: string;
  readonly param?: string | null;
}

const CHAT = '/v1/chat/completions';
const JSON_TYPE = ['Content-Type', 'application/json'] as const;
const messages = [{ role: 'user', content: 'hi' }];
const GOOD = JSON.stringify({ model: MODEL, max_tokens: 3, messages });

const authorized = (): Headers => [['Authorization', `Bearer ${fleet.apiKey}`], JSON_TYPE];
const withKey = (key: string): RawRequest => ({ path: CHAT, headers: [['Authorization', `Bearer ${key}`], JSON_TYPE], body: GOOD });
const posted = (body: string | Buffer, path = CHAT): RawRequest => ({ path, headers: authorized(), body });
const chat = (more: object): RawRequest => posted(JSON.stringify({ model: MODEL, messages, ...more }));
const bad = (code: string, param: string | null = null): Expected => ({ status: 400, code, param });

async function expectError(answer: RawAnswer, { status, code, param = null }: Expected): Promise<void> {
  expect(JSON.parse(answer.body)).toEqual({
    error: { message: expect.stringMatching(/^[A-Z'].*[.…)]$/s), type: expect.stringMatching(/^[a-z_]+$/), param, code },
  });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')?.[0]).toMatch(/^application\/json(; charset=utf-8)?$/);
  expect(answer.headers.get('x-request-id')?.[0]).toMatch(/^req_/);
  expect(answer.headers.get('openai-version')).toEqual(['2020-10-01']);
  expect(answer.headers.get('openai-processing-ms')?.[0]).toMatch(/^\d+$/);
}

async function recordCount(): Promise<number> {
  const { json } = await fleet.admin('GET', '/admin/v1/requests?limit=1000');
  return (json['data'] as unknown[]).length;
}

/** What must hold after any bad request: nothing was counted, no engine saw it, and a good one is served. */
async function expectUnharmed(act: () => Promise<void>): Promise<void> {
  const before = { records: await recordCount(), attempts: attemptsMade() };
  await act();
  expect({ records: await recordCount(), attempts: attemptsMade() }).toEqual(before);
  const good = await rawExchange(fleet.gateway.publicUrl, posted(GOOD));
  expect(good.status).toBe(200);
}

const attemptsMade = (): number => fleet.engines.reduce((sum, { server }) => sum + server.log.totals().attempts, 0);

const WRONG_BODIES: readonly (readonly [name: string, body: string | Buffer, expected: Expected])[] = [
  ['an empty body', '', bad('invalid_json')],
  ['a body that is not JSON', 'model=deepseek', bad('invalid_json')],
  ['JSON that breaks off', GOOD.slice(0, -5), bad('invalid_json')],
  ['bytes after the JSON', `${GOOD}x`, bad('invalid_json')],
  ['JSON with a NaN', '{"model":NaN}', bad('invalid_json')],
  ['an array', '[]', bad('invalid_type')],
  ['a string', '"hello"', bad('invalid_type')],
  ['null', 'null', bad('invalid_type')],
  ['bad UTF-8', Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]), bad('invalid_json')],
  ['UTF-16', Buffer.from(GOOD, 'utf16le'), bad('invalid_json')],
  ['JSON 100,000 arrays deep', `{"model":"${MODEL}","messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, bad('invalid_json')],
  ['JSON 100,000 objects deep', `{"a":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`, bad('invalid_json')],
  ['100,000 open brackets', '['.repeat(100_000), bad('invalid_json')],
];

const WRONG_PARAMETERS: readonly (readonly [name: string, more: object, expected: Expected])[] = [
  ['no model', { model: undefined }, bad('missing_required_parameter', 'model')],
  ['no messages', { messages: undefined }, bad('missing_required_parameter', 'messages')],
  ['a number for a model', { model: 5 }, bad('invalid_type', 'model')],
  ['an empty model', { model: '' }, bad('invalid_value', 'model')],
  ['an unknown model', { model: 'gpt-0' }, { status: 404, code: 'model_not_found', param: 'model' }],
  ['a model named like a property of objects', { model: '__proto__' }, { status: 404, code: 'model_not_found', param: 'model' }],
  ['an empty list of messages', { messages: [] }, bad('invalid_value', 'messages')],
  ['text for messages', { messages: 'hi' }, bad('invalid_type', 'messages')],
  ['a message that is text', { messages: ['hi'] }, bad('invalid_type', 'messages[0]')],
  ['a message without a role', { messages: [{ content: 'hi' }] }, bad('missing_required_parameter', 'messages[0].role')],
  ['an unknown role', { messages: [...messages, { role: 'robot', content: 'hi' }] }, bad('invalid_value', 'messages[1].role')],
  ['a number for content', { messages: [{ role: 'user', content: 5 }] }, bad('invalid_type', 'messages[0].content')],
  ['a part of content without a type', { messages: [{ role: 'user', content: [{}] }] }, bad('missing_required_parameter', 'messages[0].content[0].type')],
  ['text for temperature', { temperature: 'hot' }, bad('invalid_type', 'temperature')],
  ['temperature above 2', { temperature: 2.5 }, bad('invalid_value', 'temperature')],
  ['top_p above 1', { top_p: 1.1 }, bad('invalid_value', 'top_p')],
  ['a negative max_tokens', { max_tokens: -1 }, bad('invalid_value', 'max_tokens')],
  ['a fraction for max_tokens', { max_tokens: 1.5 }, bad('invalid_type', 'max_tokens')],
  ['max_tokens beyond what the model writes', { max_tokens: 1_000_000 }, bad('invalid_value', 'max_tokens')],
  ['max_completion_tokens beyond it', { max_completion_tokens: 1e12 }, bad('invalid_value', 'max_completion_tokens')],
  ['n of zero', { n: 0 }, bad('invalid_value', 'n')],
  ['text for stream', { stream: 'yes' }, bad('invalid_type', 'stream')],
  ['text for stop', { stop: [1] }, bad('invalid_type', 'stop[0]')],
  ['a fraction for seed', { seed: 0.5 }, bad('invalid_type', 'seed')],
  ['a logit bias beyond 100', { logit_bias: { 50: 101 } }, bad('invalid_value', 'logit_bias[50]')],
  ['a list for tools that holds text', { tools: ['hammer'] }, bad('invalid_type', 'tools[0]')],
  ['a tool without a name', { tools: [{ type: 'function', function: {} }] }, bad('missing_required_parameter', 'tools[0].function.name')],
  ['a number for tool_choice', { tool_choice: 1 }, bad('invalid_type', 'tool_choice')],
  ['text for response_format', { response_format: 'json' }, bad('invalid_type', 'response_format')],
  ['too many top_logprobs', { logprobs: true, top_logprobs: 21 }, bad('invalid_value', 'top_logprobs')],
  ['stream_options without stream', { stream_options: { include_usage: true } }, bad('invalid_value', 'stream_options')],
  ['text for include_usage', { stream: true, stream_options: { include_usage: 'yes' } }, bad('invalid_type', 'stream_options.include_usage')],
  ['an unknown parameter', { temprature: 1 }, bad('unknown_parameter', 'temprature')],
  ['__proto__', JSON.parse('{"__proto__":{"a":1}}') as object, bad('unknown_parameter', '__proto__')],
  ['a prompt far over the context', { messages: [{ role: 'user', content: 'x'.repeat(3 * MIB) }] }, bad('context_length_exceeded', 'messages')],
  ...[...ENGINE_CONTROL, 'bootstrap_other', 'other_dp_rank'].map(
    (name) => [`the engine control field ${name}`, { [name]: 'x' }, bad('unsupported_parameter', name)] as const,
  ),
];

const WRONG_REQUESTS: readonly (readonly [name: string, request: () => RawRequest | Promise<RawRequest>, expected: Expected])[] = [
  ['an escaped engine control field', () => posted(`{"\\u0072id":"x","model":"${MODEL}","messages":[{"role":"user","content":"hi"}]}`), bad('unsupported_parameter', 'rid')],
  ['a text completion without a prompt', () => posted(JSON.stringify({ model: MODEL }), '/v1/completions'), bad('missing_required_parameter', 'prompt')],
  ['a number for a prompt', () => posted(JSON.stringify({ model: MODEL, prompt: 5 }), '/v1/completions'), bad('invalid_type', 'prompt')],
  ['embeddings without an input', () => posted(JSON.stringify({ model: MODEL }), '/v1/embeddings'), bad('missing_required_parameter', 'input')],
  ['an unknown encoding of embeddings', () => posted(JSON.stringify({ model: MODEL, input: 'a', encoding_format: 'hex' }), '/v1/embeddings'), bad('invalid_value', 'encoding_format')],
  ['embeddings asked to stream', () => posted(JSON.stringify({ model: MODEL, input: 'a', stream: true }), '/v1/embeddings'), bad('unknown_parameter', 'stream')],
  ['no key', () => ({ path: CHAT, headers: [JSON_TYPE], body: GOOD }), { status: 401, code: 'invalid_api_key' }],
  ['no key and no body', () => ({ method: 'GET', path: '/v1/models' }), { status: 401, code: 'invalid_api_key' }],
  ['another scheme than Bearer', () => ({ path: CHAT, headers: [['Authorization', `Basic ${fleet.apiKey}`], JSON_TYPE], body: GOOD }), { status: 401, code: 'invalid_api_key' }],
  ['a malformed key', () => withKey('sk-whatever'), { status: 401, code: 'invalid_api_key' }],
  ['a mistyped key', () => withKey(`${fleet.apiKey.slice(0, -1)}!`), { status: 401, code: 'invalid_api_key' }],
  ['a well-formed key of somebody else', () => withKey(newApiKey('live')), { status: 401, code: 'invalid_api_key' }],
  ['a revoked key', async () => withKey(await revokedKey()), { status: 401, code: 'invalid_api_key' }],
  ['an expired key', async () => withKey((await fleet.gateway.keys.create({ name: 'old', expiresAtMs: 1 })).secret), { status: 401, code: 'invalid_api_key' }],
  ['the admin key', () => withKey(ADMIN_KEY), { status: 401, code: 'invalid_api_key' }],
  ['a key for administration', async () => withKey((await fleet.gateway.keys.create({ name: 'admin', kind: 'admin' })).secret), { status: 401, code: 'invalid_api_key' }],
  ['a key of a region without the model', async () => withKey((await fleet.gateway.keys.create({ name: 'far', regions: ['oci-uk-london'] })).secret), { status: 403, code: 'permission_denied' }],
  ['a key without leave for the model', async () => withKey((await fleet.gateway.keys.create({ name: 'else', models: ['else'] })).secret), { status: 403, code: 'permission_denied', param: 'model' }],
  ["another's organisation", () => ({ path: CHAT, headers: [...authorized(), ['OpenAI-Organization', 'org_other']], body: GOOD }), { status: 403, code: 'permission_denied' }],
  ["another's project", () => ({ path: CHAT, headers: [...authorized(), ['OpenAI-Project', 'proj_other']], body: GOOD }), { status: 403, code: 'permission_denied' }],
  ['another content type', () => ({ path: CHAT, headers: [['Authorization', `Bearer ${fleet.apiKey}`], ['Content-Type', 'text/plain']], body: GOOD }), { status: 415, code: 'unsupported_media_type' }],
  ['a form', () => ({ path: CHAT, headers: [['Authorization', `Bearer ${fleet.apiKey}`], ['Content-Type', 'application/x-www-form-urlencoded']], body: GOOD }), { status: 415, code: 'unsupported_media_type' }],
  ['a content type that is none', () => ({ path: CHAT, headers: [['Authorization', `Bearer ${fleet.apiKey}`], ['Content-Type', ';;;']], body: GOOD }), { status: 415, code: 'unsupported_media_type' }],
  ['no content type', () => ({ path: CHAT, headers: [['Authorization', `Bearer ${fleet.apiKey}`]], body: GOOD }), { status: 415, code: 'unsupported_media_type' }],
  ['no content type and no body', () => ({ path: CHAT, headers: [['Authorization', `Bearer ${fleet.apiKey}`]], body: '' }), bad('invalid_json')],
  ['GET where POST belongs', () => ({ method: 'GET', path: CHAT, headers: authorized() }), { status: 405, code: 'method_not_allowed' }],
  ['GET where POST belongs, with a query', () => ({ method: 'GET', path: `${CHAT}?a=1`, headers: authorized() }), { status: 405, code: 'method_not_allowed' }],
  ['DELETE of a model', () => ({ method: 'DELETE', path: `/v1/models/${MODEL}`, headers: authorized() }), { status: 405, code: 'method_not_allowed' }],
  ['POST to the list of models', () => ({ path: '/models', headers: authorized(), body: '{}' }), { status: 405, code: 'method_not_allowed' }],
  ['OPTIONS', () => ({ method: 'OPTIONS', path: CHAT }), { status: 405, code: 'method_not_allowed' }],
  ['a method of other protocols', () => ({ method: 'PROPFIND', path: CHAT }), { status: 405, code: 'method_not_allowed' }],
  ['an unknown URL', () => ({ method: 'GET', path: '/v1/nothing', headers: authorized() }), { status: 404, code: 'not_found' }],
  ['an unknown URL, with a body', () => ({ path: '/v1/responses', headers: authorized(), body: '{}' }), { status: 404, code: 'not_found' }],
  ['an unknown URL, with a body of another type', () => ({ path: '/v1/files', headers: [['Content-Type', 'multipart/form-data; boundary=x']], body: 'x' }), { status: 404, code: 'not_found' }],
  ['the root', () => ({ method: 'GET', path: '/' }), { status: 404, code: 'not_found' }],
  ["the admin's URLs", () => ({ method: 'GET', path: '/admin/v1/keys', headers: authorized() }), { status: 404, code: 'not_found' }],
  ['a URL with a bad escape', () => ({ method: 'GET', path: '/v1/models/%zz', headers: authorized() }), bad('malformed_request')],
  ['an unknown model in the URL', () => ({ method: 'GET', path: '/v1/models/a%2Fb', headers: authorized() }), { status: 404, code: 'model_not_found', param: 'model' }],
  ['a long model in the URL', () => ({ method: 'GET', path: `/v1/models/${'x'.repeat(5_000)}`, headers: authorized() }), { status: 404, code: 'model_not_found', param: 'model' }],
  ['two Hosts', () => ({ path: CHAT, headers: [['Host', 'a'], ['Host', 'b'], ...authorized()], body: GOOD }), bad('malformed_request')],
  ['two keys', () => ({ path: CHAT, headers: [...authorized(), ['Authorization', 'Bearer x']], body: GOOD }), bad('malformed_request')],
  ['two content types', () => ({ path: CHAT, headers: [...authorized(), JSON_TYPE], body: GOOD }), bad('malformed_request')],
  ['a declared body of 100 MB', () => ({ path: CHAT, headers: [...authorized(), ['Content-Length', String(100 * MIB)]] }), { status: 413, code: 'request_too_large' }],
  ['a body a little too large', () => posted(`"${'x'.repeat(4 * MIB)}"`), { status: 413, code: 'request_too_large' }],
  ['both Content-Length and Transfer-Encoding', () => ({ path: CHAT, headers: [...authorized(), ['Content-Length', '5'], ['Transfer-Encoding', 'chunked']], body: '5\r\nhello\r\n0\r\n\r\n' }), bad('malformed_request')],
  ['two Content-Lengths', () => ({ path: CHAT, headers: [...authorized(), ['Content-Length', '5'], ['Content-Length', '6']], body: 'hello!' }), bad('malformed_request')],
  ['a negative Content-Length', () => ({ path: CHAT, headers: [...authorized(), ['Content-Length', '-5']] }), bad('malformed_request')],
  ['an unknown Transfer-Encoding', () => ({ path: CHAT, headers: [...authorized(), ['Transfer-Encoding', 'gzip']], body: 'x' }), bad('malformed_request')],
  ['bad chunk sizes', () => ({ path: CHAT, headers: [...authorized(), ['Transfer-Encoding', 'chunked']], body: 'zz\r\nhello\r\n0\r\n\r\n' }), bad('malformed_request')],
  ['a chunk longer than it says', () => ({ path: CHAT, headers: [...authorized(), ['Transfer-Encoding', 'chunked']], body: '2\r\nhello\r\n0\r\n\r\n' }), bad('malformed_request')],
  ['headers that are too large', () => ({ path: CHAT, headers: [...authorized(), ['X-Long', 'x'.repeat(20_000)]], body: GOOD }), { status: 431, code: 'headers_too_large' }],
  ['a URL that is too long', () => ({ method: 'GET', path: `/v1/${'x'.repeat(20_000)}`, headers: authorized() }), { status: 431, code: 'headers_too_large' }],
  ['no Host', () => ({ path: CHAT, headers: authorized(), body: GOOD, hostless: true }), bad('malformed_request')],
  ['a header with a line break in it', () => ({ path: CHAT, headers: [...authorized(), ['X-Bad', 'a\rb']], body: GOOD }), bad('malformed_request')],
  ['an expectation that nobody knows, and no key', () => ({ path: CHAT, headers: [JSON_TYPE, ['Expect', 'miracles']], body: GOOD }), { status: 401, code: 'invalid_api_key' }],
];


async function revokedKey(): Promise<string> {
  const { record, secret } = await fleet.gateway.keys.create({ name: 'gone' });
  await fleet.gateway.keys.revoke(record.id);
  return secret;
}

describe('a bad request gets a clear error in the shape of OpenAI, and harms nothing:', () => {
  test.each(WRONG_BODIES)('%s', async (_name, body, expected) =>
    expectUnharmed(async () => expectError(await rawExchange(fleet.gateway.publicUrl, posted(body)), expected)),
  );

  test.each(WRONG_PARAMETERS)('%s', async (_name, more, expected) =>
    expectUnharmed(async () => expectError(await rawExchange(fleet.gateway.publicUrl, chat(more)), expected)),
  );

  test.each(WRONG_REQUESTS)('%s', async (_name, request, expected) =>
    expectUnharmed(async () => expectError(await rawExchange(fleet.gateway.publicUrl, await request()), expected)),
  );

  test('100 MB in chunks, without saying so first', async () =>
    expectUnharmed(async () => {
      const client = await RawClient.open(fleet.gateway.publicUrl);
      client.send(requestBytes({ path: CHAT, headers: [...authorized(), ['Transfer-Encoding', 'chunked']] }));
      const chunk = Buffer.concat([Buffer.from(`${MIB.toString(16)}\r\n`), Buffer.alloc(MIB, 'x'), Buffer.from('\r\n')]);
      for (let sent = 0; sent < 100 && client.ending === 'open' && client.unread === ''; sent += 1) {
        client.send(chunk);
        await new Promise(setImmediate);
      }
      await expectError(await client.readAnswer(), { status: 413, code: 'request_too_large' });
      await client.ended();
    }));

  test.each([
    ['a body that does not come', (): Buffer => requestBytes(posted(GOOD)).subarray(0, -10)],
    ['a head that does not come', (): string => 'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n'],
  ])('row 16: %s', (_name, bytes) =>
    expectUnharmed(async () => {
      const client = await RawClient.open(fleet.gateway.publicUrl);
      client.send(bytes());
      await expectError(await client.readAnswer(), { status: 408, code: 'request_timeout' });
      await client.ended();
    }),
  );

  test('bytes that are no HTTP', async () =>
    expectUnharmed(async () => {
      const client = await RawClient.open(fleet.gateway.publicUrl);
      client.send('\x16\x03\x01\x02hello');
      await expectError(await client.readAnswer(), bad('malformed_request'));
      await client.ended();
    }));

  test('an API key at the admin API', async () =>
    expectUnharmed(async () => {
      const answer = await rawExchange(fleet.gateway.adminUrl, { method: 'GET', path: '/admin/v1/keys', headers: authorized() });
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'invalid_api_key', param: null } });
    }));
});
