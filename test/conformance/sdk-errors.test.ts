import type OpenAI from 'openai';
import type { APIError } from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NO_FAULTS, type RequestFaultKind, type SimEngine } from '../../src/sim/index.ts';
import { ADMIN_KEY, MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { SDKS } from './sdks.ts';

const CONTEXT_TOKENS = 600;
let fleet: TestFleet;

beforeAll(async () => {
  fleet = await startTestFleet({
    regions: { 'gcp-us-east4': 2, 'aws-us-west-2': 1 },
    agentless: 1,
    engine: { engine: { contextTokens: CONTEXT_TOKENS } },
    config: (config) => ({
      ...config,
      models: { [MODEL]: { contextTokens: CONTEXT_TOKENS, outputTokensMax: 500, bytesPerToken: 4, free: false } },
      timeouts: { ...config.timeouts, firstTokenMs: 1_200 },
      retries: { ...config.retries, jitterMinMs: 1, jitterMaxMs: 2 },
      breaker: { ...config.breaker, failuresMax: 1_000_000 },
    }),
  });
});
afterAll(() => fleet.close());
afterEach(async () => {
  for (const engine of fleet.engines) engine.faults.clear();
});

function fail(engines: readonly SimEngine[], fault: RequestFaultKind): void {
  for (const { faults } of engines) faults.set({ ...NO_FAULTS, requests: [{ ...fault, times: null, probability: 1 }] });
}

/** Every attempt at every engine from now on meets this. */
function everywhere(fault: RequestFaultKind): void {
  fail(fleet.engines, fault);
}

async function recordsAfter(id: string | null): Promise<Record<string, unknown>[]> {
  const { json } = await fleet.admin('GET', `/admin/v1/requests?limit=1000${id === null ? '' : `&after=${id}`}`);
  return json['data'] as Record<string, unknown>[];
}

async function newestRecord(): Promise<string | null> {
  return ((await recordsAfter(null)).at(-1)?.['id'] as string | undefined) ?? null;
}

const ask = { model: MODEL, seed: 7, max_tokens: 40, messages: [{ role: 'user' as const, content: 'Tell me of the sea' }] };

async function thrownBy(promise: PromiseLike<unknown>): Promise<APIError> {
  try {
    await promise;
  } catch (error) {
    return error as APIError;
  }
  throw new Error('there was no error');
}

describe.each(SDKS)('$name meets', ({ Sdk }) => {
  const clientOf = (apiKey: string, maxRetries = 0): OpenAI => new Sdk({ baseURL: fleet.gateway.publicUrl, apiKey, maxRetries });
  let client: OpenAI;
  beforeAll(async () => {
    client = clientOf(fleet.apiKey);
  });

  test('AuthenticationError for a key that is unknown, mistyped, revoked, expired or for administration', async () => {
    const { keys } = fleet.gateway;
    const revoked = await keys.create({ name: 'revoked' });
    expect((await clientOf(revoked.secret).models.list()).data.length).toBe(1);
    await keys.revoke(revoked.record.id);
    const expired = (await keys.create({ name: 'expired', expiresAtMs: 1 })).secret;
    const admin = (await keys.create({ name: 'admin', kind: 'admin' })).secret;
    for (const key of ['sk-unknown', `${fleet.apiKey}x`, revoked.secret, expired, admin, ADMIN_KEY]) {
      const error = await thrownBy(clientOf(key).chat.completions.create(ask));
      expect(error).toBeInstanceOf(Sdk.AuthenticationError);
      expect(error).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'authentication_error', param: null });
      expect(error.requestID).toMatch(/^req_/);
    }
  });

  test("PermissionDeniedError for another's organisation, and for a model or a region that its key may not use", async () => {
    const { keys } = fleet.gateway;
    const other = new Sdk({ baseURL: fleet.gateway.publicUrl, apiKey: fleet.apiKey, organization: 'org_other', maxRetries: 0 });
    const noRegion = clientOf((await keys.create({ name: 'region', regions: ['mars'] })).secret);
    const noModel = clientOf((await keys.create({ name: 'model', models: ['other'] })).secret);
    for (const refused of [other, noRegion, noModel]) {
      const error = await thrownBy(refused.chat.completions.create(ask));
      expect(error).toBeInstanceOf(Sdk.PermissionDeniedError);
      expect(error).toMatchObject({ status: 403, code: 'permission_denied' });
    }
    expect((await noModel.models.list()).data).toEqual([]);
  });

  test('NotFoundError for an unknown model and an unknown URL', async () => {
    const error = await thrownBy(client.chat.completions.create({ ...ask, model: 'gpt-0' }));
    expect(error).toBeInstanceOf(Sdk.NotFoundError);
    expect(error).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
    expect(await thrownBy(client.models.retrieve('gpt-0'))).toMatchObject({ status: 404, code: 'model_not_found' });
    const url = await thrownBy(client.get('/nothing/here'));
    expect(url).toBeInstanceOf(Sdk.NotFoundError);
    expect(url).toMatchObject({ code: 'not_found', param: null });
    expect(url.requestID).toMatch(/^req_/);
  });

  test('BadRequestError that names the parameter, whether the gateway or the engine found it', async () => {
    const error = await thrownBy(client.chat.completions.create({ ...ask, temperature: 5 }));
    expect(error).toBeInstanceOf(Sdk.BadRequestError);
    expect(error).toMatchObject({ status: 400, code: 'invalid_value', param: 'temperature', type: 'invalid_request_error' });
    const fromEngine = await thrownBy(client.chat.completions.create({ ...ask, n: 100 }));
    expect(fromEngine).toBeInstanceOf(Sdk.BadRequestError);
    expect(fromEngine).toMatchObject({ status: 400, code: 'invalid_request', param: 'n' });
  });

  test.each([
    ['a little', 500],
    ['far', 50_000],
  ])('BadRequestError for a prompt that is %s too long, with the code that tells it', async (_how, words) => {
    const content = 'word '.repeat(words);
    for (const stream of [false, true]) {
      const error = await thrownBy(client.chat.completions.create({ ...ask, max_tokens: 400, stream, messages: [{ role: 'user', content }] }));
      expect(error).toBeInstanceOf(Sdk.BadRequestError);
      expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded' });
    }
  });

  test.each(['midError', 'reset', 'truncate'] as const)('APIError in mid-stream when its engine ends in %s', async (kind) => {
    everywhere({ kind, afterTokens: 5 });
    const chunks: unknown[] = [];
    const stream = await client.chat.completions.create({ ...ask, stream: true });
    const error = await thrownBy((async () => {
      for await (const chunk of stream) chunks.push(chunk);
    })());
    expect(error).toBeInstanceOf(Sdk.APIError);
    expect(error).toMatchObject({ code: 'upstream_error', type: 'server_error' });
    expect(error.message).not.toBe('');
    expect(chunks.length).toBeGreaterThanOrEqual(5);
  });

  test('InternalServerError 503 that may be tried again, when every replica refuses', async () => {
    everywhere({ kind: 'error503' });
    const error = await thrownBy(client.chat.completions.create(ask));
    expect(error).toBeInstanceOf(Sdk.InternalServerError);
    expect(error).toMatchObject({ status: 503, code: 'overloaded' });
    expect(Number(error.headers?.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(Number(error.headers?.get('retry-after-ms'))).toBeGreaterThan(0);
    expect(error.headers?.has('x-should-retry')).toBe(false);
    const before = await newestRecord();
    await thrownBy(clientOf(fleet.apiKey, 1).chat.completions.create(ask));
    const records = await recordsAfter(before);
    expect(records.map(({ outcome, status }) => [outcome, status])).toEqual([['failed', 503], ['failed', 503]]);
    expect(records.map(({ attempts }) => (attempts as unknown[]).length)).toEqual([3, 3]);
  });

  test('InternalServerError 502 that may be tried again, when no engine can be reached', async () => {
    everywhere({ kind: 'refuse' });
    const error = await thrownBy(client.chat.completions.create(ask));
    expect(error).toBeInstanceOf(Sdk.InternalServerError);
    expect(error).toMatchObject({ status: 502, code: 'upstream_error' });
    expect(error.headers?.has('x-should-retry')).toBe(false);
  });

  test.each(['midError', 'truncate'] as const)('InternalServerError 502 without another try, when engines at work end in %s', async (kind) => {
    everywhere({ kind, afterTokens: 3 });
    const before = await newestRecord();
    const error = await thrownBy(clientOf(fleet.apiKey, 2).chat.completions.create(ask));
    expect(error).toBeInstanceOf(Sdk.InternalServerError);
    expect(error).toMatchObject({ status: 502, code: 'upstream_error' });
    expect(error.headers?.get('x-should-retry')).toBe('false');
    const records = await recordsAfter(before);
    expect(records.map(({ attempts }) => (attempts as unknown[]).length)).toEqual([3]);
  });

  test('InternalServerError 504 without another try, when engines take the request and show no token in time', async () => {
    everywhere({ kind: 'stall', afterTokens: 0 });
    const error = await thrownBy(clientOf(fleet.apiKey, 2).chat.completions.create({ ...ask, stream: true }));
    expect(error).toBeInstanceOf(Sdk.InternalServerError);
    expect(error).toMatchObject({ status: 504, code: 'upstream_timeout' });
    expect(error.headers?.get('x-should-retry')).toBe('false');
  });

  test('nothing, when one replica of several fails before the first token', async () => {
    for (const kind of ['refuse', 'error503', 'empty', 'error429'] as const) {
      fail(fleet.engines.slice(0, 2), { kind });
      for (const stream of [false, true]) {
        const { response } = await client.chat.completions.create({ ...ask, stream }).withResponse();
        expect(response.status).toBe(200);
        if (stream) await response.body?.cancel();
      }
    }
  });
});
