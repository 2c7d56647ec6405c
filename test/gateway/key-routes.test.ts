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
    expect(fleet.gateway.keys.authenticate(String(json['key']), Date.now()).kind).toBe('ok');
  });

  test('is refused with an instant that is none', async () => {
    for (const expiresAt of [-1, 1.5, 1e300]) {
      const { status, json } = await fleet.admin('POST', '/admin/v1/keys', { name: 'x', expires_at: expiresAt });
      expect(status).toBe(400);
      expect(json['error']).toMatchObject({ code: expect.stringMatching(/^invalid_(value|type)$/), param: 'expires_at' });
    }
  });
});
