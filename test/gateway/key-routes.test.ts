import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestFleet, type TestFleet } from '../support/test-fleet.ts';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startTestFleet({ regions: {} });
});
afterAll(() => fleet.close());

describe('a key made through the admin API', () => {
  test('with null where nothing limits it is good for ever and everywhere', async () => {
    const { status, json } = await fleet.admin('POST', '/admin/v1/keys', { name: 'x', regions: null, models: null, expires_at: null });
    expect(status).toBe(201);
    expect(json).toMatchObject({ regions: null, models: null, expires_at: null });
    expect((await fleet.gateway.keys.authenticate(String(json['key']), Date.now())).kind).toBe('ok');
  });

  test('is refused with an instant that is none', async () => {
    for (const expiresAt of [-1, 1.5, 1e300]) {
      const { status, json } = await fleet.admin('POST', '/admin/v1/keys', { name: 'x', expires_at: expiresAt });
      expect(status).toBe(400);
      expect(json['error']).toMatchObject({ code: expect.stringMatching(/^invalid_(value|type)$/), param: 'expires_at' });
    }
  });

  test('has networks and limits, which can be changed, and is rotated without a word about grace', async () => {
    const limits = { requests_per_minute: 5, tokens_per_minute: null, concurrent_requests: 2 };
    const { json: made } = await fleet.admin('POST', '/admin/v1/keys', { name: 'x', networks: ['10.0.0.0/8'], limits, scopes: ['embeddings'] });
    expect(made).toMatchObject({ networks: ['10.0.0.0/8'], limits, scopes: ['embeddings'], replaces: null, clamp_max_tokens: false });
    const path = `/admin/v1/keys/${String(made['id'])}`;
    expect((await fleet.admin('POST', path, { networks: null, clamp_max_tokens: true })).json).toMatchObject({ networks: null, limits, clamp_max_tokens: true });
    const { status, json: next } = await fleet.admin('POST', `${path}/rotate`);
    expect([status, next]).toMatchObject([201, { replaces: made['id'], limits, clamp_max_tokens: true, expires_at: null }]);
    const { json: old } = await fleet.admin('GET', path);
    expect(Number(old['expires_at']) - Date.now() / 1_000).toBeGreaterThan(86_000);
    for (const [body, param] of [[{ networks: ['10.0.0.0/99'] }, 'networks[0]'], [{ limits: { requests_per_minute: -1 } }, 'limits.requests_per_minute'], [{ scopes: ['everything'] }, 'scopes[0]']] as const) {
      expect(await fleet.admin('POST', path, body)).toMatchObject({ status: 400, json: { error: { param } } });
    }
    expect(await fleet.admin('POST', '/admin/v1/keys/key_nobody/rotate')).toMatchObject({ status: 404, json: { error: { param: 'id' } } });
  });
});
