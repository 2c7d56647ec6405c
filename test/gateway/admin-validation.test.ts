import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestFleet, type TestFleet } from '../support/test-fleet.ts';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startTestFleet({ regions: {} });
});
afterAll(() => fleet.close());

test.each([
  ['a body without what it needs', 'POST', '/admin/v1/keys', {}, 'missing_required_parameter', 'name'],
  ['a body with a value that is too short', 'POST', '/admin/v1/keys', { name: '' }, 'invalid_value', 'name'],
  ['a body with a value of another type', 'POST', '/admin/v1/keys', { name: 5 }, 'invalid_type', 'name'],
  ['a body with one value where a list belongs', 'POST', '/admin/v1/keys', { name: 'x', regions: 'a' }, 'invalid_type', 'regions'],
  ['a body with an unknown parameter', 'POST', '/admin/v1/keys', { name: 'x', foo: 1 }, 'unknown_parameter', 'foo'],
  ['a model that this gateway does not have', 'POST', '/admin/v1/keys', { name: 'x', models: ['gpt-9'] }, 'invalid_value', 'models'],
  ['a body with a value that is not of a list', 'POST', '/admin/v1/keys', { name: 'x', priority_max: 'urgent' }, 'invalid_value', 'priority_max'],
  ['a body with a text that is too long', 'POST', '/admin/v1/keys', { name: 'x'.repeat(201) }, 'invalid_value', 'name'],
  ['a limit that is too small', 'GET', '/admin/v1/requests?limit=0', undefined, 'invalid_value', 'limit'],
  ['a limit that is no number', 'GET', '/admin/v1/requests?limit=many', undefined, 'invalid_type', 'limit'],
  ['an order that is none', 'GET', '/admin/v1/requests?order=up', undefined, 'invalid_value', 'order'],
  ['an unknown parameter of a query', 'GET', '/admin/v1/requests?foo=1', undefined, 'unknown_parameter', 'foo'],
] as const)('%s is refused by its name', async (_what, method, path, body, code, param) => {
  const { status, json } = await fleet.admin(method, path, body);
  expect(status).toBe(400);
  expect(json['error']).toMatchObject({ code, param });
});

test('lists can be read from the newest on, page by page', async () => {
  const { status, json } = await fleet.admin('GET', '/admin/v1/requests?order=desc&limit=1');
  expect(status).toBe(200);
  expect(json).toMatchObject({ object: 'list', data: [], has_more: false });
});
