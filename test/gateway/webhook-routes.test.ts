import { describe, expect, onTestFinished, test } from 'vitest';
import { schemaCheck } from '../../src/gateway/admin/schema-check.ts';
import { webhookRoutes } from '../../src/gateway/admin/webhook-routes.ts';
import { createEdge, parseBody } from '../../src/gateway/index.ts';
import { webhookBooks } from '../billing/webhook-books.ts';

const URL = 'https://example.com/hook';

/** The routes alone, before real books. */
async function webhookApi() {
  const books = webhookBooks();
  const noted: string[] = [];
  const app = await createEdge({
    bodyBytesMax: 100_000,
    headerBytesMax: 16_384,
    receiveMs: 10_000,
    clock: books.clock,
    readBody: (body) => parseBody(body, 64),
    connections: () => ({ connectionsMax: 10, connectionsPerAddressMax: 0 }),
    tls: null,
  });
  app.setValidatorCompiler(schemaCheck);
  webhookRoutes(app, { webhooks: books.desk, note: (_request, act) => Promise.resolve(void noted.push(act.type)) });
  onTestFinished(() => app.close());
  const call = async (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => {
    const response = await app.inject({ method, url: `/admin/v1/${path}`, ...(body === undefined ? {} : { payload: body }) });
    return { status: response.statusCode, json: response.json() as Record<string, unknown>, text: response.body };
  };
  const create = async (body: object = {}) => {
    const { json } = await call('POST', 'webhook_endpoints', { url: URL, ...body });
    return { id: String(json['id']), secret: String(json['secret']) };
  };
  return { ...books, call, create, noted };
}

describe('a webhook endpoint', () => {
  test('is created with a secret that no other answer shows', async () => {
    const { call, noted } = await webhookApi();
    const { status, json } = await call('POST', 'webhook_endpoints', { url: URL, organization: 'org_a', event_types: ['invoice.paid', 'invoice.paid'] });
    expect(status).toBe(201);
    expect(json).toMatchObject({
      object: 'webhook_endpoint',
      id: expect.stringMatching(/^we_/),
      organization: 'org_a',
      url: URL,
      event_types: ['invoice.paid'],
      status: 'enabled',
      disabled_reason: null,
      disabled_at: null,
      failing_since: null,
      old_secrets_until: null,
      secret: expect.stringMatching(/^whsec_/),
    });
    const id = String(json['id']);
    expect(noted).toEqual(['webhook_endpoint.created']);
    for (const answer of [await call('GET', `webhook_endpoints/${id}`), await call('GET', 'webhook_endpoints'), await call('POST', `webhook_endpoints/${id}`, {})]) {
      expect(answer.status).toBe(200);
      expect(answer.text).not.toContain('whsec_');
      expect(answer.text).not.toContain('sealed');
    }
  });

  test.each([
    ['a URL that is none', { url: 'example' }, 'invalid_value', 'url'],
    ['a URL without TLS', { url: 'http://example.com/' }, 'invalid_value', 'url'],
    ['a private address', { url: 'https://192.168.0.1/' }, 'invalid_value', 'url'],
    ['no URL', {}, 'missing_required_parameter', 'url'],
    ['an event that there is not', { url: URL, event_types: ['invoice.eaten'] }, 'invalid_value', 'event_types[0]'],
    ['no event at all', { url: URL, event_types: [] }, 'invalid_value', 'event_types'],
    ['a secret of its own', { url: URL, secret: 'whsec_x' }, 'unknown_parameter', 'secret'],
  ])('is refused with %s, and nothing is written', async (_what, body, code, param) => {
    const { call, desk } = await webhookApi();
    const { status, json } = await call('POST', 'webhook_endpoints', body);
    expect(status).toBe(400);
    expect(json['error']).toMatchObject({ code, param });
    expect(await desk.list({ limit: 10 })).toEqual([]);
  });

  test('is changed in what is given, and in nothing else', async () => {
    const { call, create } = await webhookApi();
    const { id } = await create({ event_types: ['invoice.paid'] });
    expect((await call('POST', `webhook_endpoints/${id}`, { url: 'https://example.com/new' })).json).toMatchObject({ url: 'https://example.com/new', event_types: ['invoice.paid'], status: 'enabled' });
    expect((await call('POST', `webhook_endpoints/${id}`, { event_types: null })).json).toMatchObject({ url: 'https://example.com/new', event_types: null });
    expect((await call('POST', `webhook_endpoints/${id}`, { enabled: false })).json).toMatchObject({ status: 'disabled', disabled_reason: 'administrator', disabled_at: expect.any(Number) });
    expect((await call('POST', `webhook_endpoints/${id}`, { enabled: true })).json).toMatchObject({ status: 'enabled', disabled_at: null });
  });

  test('gets a new secret, beside which the old one holds for as long as asked', async () => {
    const { call, create, clock } = await webhookApi();
    const { id, secret } = await create();
    const { status, json } = await call('POST', `webhook_endpoints/${id}/rotate_secret`, { grace_seconds: 3_600 });
    expect(status).toBe(200);
    expect(json['secret']).toMatch(/^whsec_/);
    expect(json['secret']).not.toBe(secret);
    expect(json['old_secrets_until']).toBe(Math.floor(clock.wallMs() / 1_000) + 3_600);
    const refused = await call('POST', `webhook_endpoints/${id}/rotate_secret`, { grace_seconds: -1 });
    expect(refused.json['error']).toMatchObject({ code: 'invalid_value', param: 'grace_seconds' });
    expect((await call('POST', `webhook_endpoints/${id}/rotate_secret`, { grace_seconds: 0 })).json['old_secrets_until']).toBeNull();
  });

  test('is deleted once', async () => {
    const { call, create } = await webhookApi();
    const { id } = await create();
    expect(await call('DELETE', `webhook_endpoints/${id}`)).toMatchObject({ status: 200, json: { object: 'webhook_endpoint.deleted', id, deleted: true } });
    expect(await call('DELETE', `webhook_endpoints/${id}`)).toMatchObject({ status: 404, json: { error: { code: 'not_found', param: 'id' } } });
    expect((await call('GET', `webhook_endpoints/${id}`)).status).toBe(404);
  });

  test('can be sent a test event, which is due at once', async () => {
    const { call, create, woken } = await webhookApi();
    const { id } = await create();
    const { status, json } = await call('POST', `webhook_endpoints/${id}/test`);
    expect(status).toBe(202);
    expect(json).toMatchObject({ object: 'webhook_event', type: 'webhook.test', deliveries: [{ endpoint: id, status: 'pending', attempts: 0 }] });
    expect(woken.count).toBe(1);
  });

  test('is listed page by page, of one organization or all', async () => {
    const { call, create } = await webhookApi();
    const a = await create({ organization: 'org_a' });
    const b = await create();
    const c = await create({ organization: 'org_a' });
    const first = await call('GET', 'webhook_endpoints?limit=2');
    expect(first.json).toMatchObject({ object: 'list', data: [{ id: a.id }, { id: b.id }], first_id: a.id, last_id: b.id, has_more: true });
    expect((await call('GET', `webhook_endpoints?limit=2&after=${b.id}`)).json).toMatchObject({ data: [{ id: c.id }], has_more: false });
    expect((await call('GET', 'webhook_endpoints?organization=org_a')).json).toMatchObject({ data: [{ id: a.id }, { id: c.id }] });
    expect((await call('GET', 'webhook_endpoints?after=we_none')).json['error']).toMatchObject({ code: 'invalid_value', param: 'after' });
  });
});

describe('a webhook event', () => {
  test('is shown with what it says and what became of it', async () => {
    const { call, create, tell, clock, store } = await webhookApi();
    const { id: endpoint } = await create();
    const id = await tell({ data: { id: 'inv_1', total_usd: '3.00' } });
    const nowMs = clock.wallMs();
    const [job] = await store.claim({ nowMs, limit: 1, leaseMs: 1, except: [] });
    if (job === undefined) throw new Error('nothing due');
    await store.failed(job, { nowMs, status: 500, error: 'It answered 500.', next: { kind: 'retry', atMs: nowMs + 5_000 } });
    const created = Math.floor(nowMs / 1_000);
    const next = Math.floor((nowMs + 5_000) / 1_000);
    expect((await call('GET', `webhook_events/${id}`)).json).toEqual({
      object: 'webhook_event',
      id,
      type: 'invoice.paid',
      organization: 'org_a',
      created_at: created,
      data: { id: 'inv_1', total_usd: '3.00' },
      deliveries: [{ endpoint, status: 'pending', attempts: 1, next_attempt_at: next, delivered_at: null, last_status: 500, last_error: 'It answered 500.' }],
    });
    expect((await call('GET', 'webhook_events/evt_none')).json['error']).toMatchObject({ code: 'not_found', param: 'id' });
  });

  test('is listed from either end, by type', async () => {
    const { call, tell } = await webhookApi();
    const a = await tell();
    const b = await tell({ type: 'budget.reached' });
    expect((await call('GET', 'webhook_events?order=desc&limit=1')).json).toMatchObject({ data: [{ id: b }], has_more: true });
    expect((await call('GET', 'webhook_events?type=invoice.paid')).json).toMatchObject({ data: [{ id: a }], has_more: false });
    expect((await call('GET', 'webhook_events?type=x')).json['error']).toMatchObject({ code: 'invalid_value', param: 'type' });
    expect((await call('GET', 'webhook_events?order=up')).json['error']).toMatchObject({ code: 'invalid_value', param: 'order' });
  });

  test('is sent once more to one endpoint, or to all', async () => {
    const { call, create, tell, woken } = await webhookApi();
    const id = await tell();
    const a = await create();
    const b = await create();
    const one = await call('POST', `webhook_events/${id}/redeliver`, { endpoint: b.id });
    expect(one.status).toBe(202);
    expect(one.json).toMatchObject({ deliveries: [{ endpoint: b.id, status: 'pending' }] });
    expect((await call('POST', `webhook_events/${id}/redeliver`, {})).json).toMatchObject({ deliveries: [{ endpoint: a.id }, { endpoint: b.id }] });
    expect(woken.count).toBe(2);
    expect(await call('POST', `webhook_events/${id}/redeliver`, { endpoint: 'we_none' })).toMatchObject({ status: 409, json: { error: { code: 'conflict', param: 'endpoint' } } });
    expect((await call('POST', 'webhook_events/evt_none/redeliver', {})).status).toBe(404);
  });
});

test('bodies in which everything is optional need not be sent', async () => {
  const { call, create, tell } = await webhookApi();
  const { id } = await create();
  const event = await tell();
  expect((await call('POST', `webhook_endpoints/${id}/rotate_secret`)).status).toBe(200);
  expect((await call('POST', `webhook_events/${event}/redeliver`)).status).toBe(202);
});
