import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { enqueueWebhook, type WebhookTables } from '../../src/billing/index.ts';
import { webhookBooks } from './webhook-books.ts';

const LEASE_MS = 1_000;
const claim = { limit: 100, leaseMs: LEASE_MS, except: [] };

describe('an event', () => {
  test('goes to the endpoints of its organization and of the operator that want its type, and to no other', async () => {
    const { desk, endpoint, tell } = webhookBooks();
    const wanted = [
      await endpoint({ organization: 'org_a' }),
      await endpoint({ organization: 'org_a', eventTypes: ['invoice.paid', 'invoice.voided'] }),
      await endpoint({ organization: null }),
      await endpoint({ organization: null, eventTypes: ['invoice.paid'] }),
    ];
    await endpoint({ organization: 'org_b' });
    await endpoint({ organization: 'org_a', eventTypes: ['budget.reached'] });
    const off = await endpoint({ organization: 'org_a' });
    await desk.update(off.endpoint.id, { isEnabled: false });
    const { deliveries } = await desk.event(await tell());
    expect(deliveries.map((one) => one.endpoint)).toEqual(wanted.map((one) => one.endpoint.id));
    expect((await desk.event(await tell({ organization: null }))).deliveries).toHaveLength(2);
  });

  test('says what happened, when, and to whom', async () => {
    const { desk, clock, tell } = webhookBooks();
    const event = await desk.event(await tell({ data: { id: 'inv_9' } }));
    expect(event.id).toMatch(/^evt_[0-9A-Z]{26}$/);
    const timestamp = new Date(clock.wallMs()).toISOString();
    expect(JSON.parse(event.payload)).toEqual({ id: event.id, type: 'invoice.paid', timestamp, organization: 'org_a', data: { id: 'inv_9' } });
  });

  test('is written with what it tells of, or not at all', async () => {
    const { db, desk, clock, endpoint } = webhookBooks();
    await endpoint();
    const fail = db.transaction().execute(async (trx) => {
      await trx.insertInto('facts').values({ name: 'paid' }).execute();
      await enqueueWebhook(trx.$pickTables<keyof WebhookTables>(), { type: 'invoice.paid', organization: 'org_a', data: {}, nowMs: clock.wallMs() });
      throw new Error('no room on the disk');
    });
    await expect(fail).rejects.toThrow('no room');
    expect(await desk.events({ limit: 10, order: 'asc' })).toEqual([]);
    expect(await db.selectFrom('webhook_deliveries').selectAll().execute()).toEqual([]);
  });

  test('with the same id again changes nothing', async () => {
    const { desk, store, clock, endpoint, tell } = webhookBooks();
    await endpoint();
    await tell({ id: 'evt_mine' });
    const [job] = await store.claim({ ...claim, nowMs: clock.wallMs() });
    if (job === undefined) throw new Error('nothing due');
    await store.delivered(job, clock.wallMs(), 200);
    await endpoint();
    expect(await tell({ id: 'evt_mine', data: 'other' })).toBe('evt_mine');
    const [event, ...more] = await desk.events({ limit: 10, order: 'asc' });
    expect(more).toEqual([]);
    expect(event?.payload).not.toContain('other');
    expect(event?.deliveries).toMatchObject([{ state: 'delivered', attempts: 1 }]);
  });
});

describe('a claim', () => {
  test('gives the oldest due event of each endpoint, and leaves out those that are busy', async () => {
    const { store, clock, endpoint, tell } = webhookBooks();
    const a = await endpoint();
    const b = await endpoint();
    const first = await tell();
    await tell();
    const nowMs = clock.wallMs();
    const jobs = await store.claim({ ...claim, nowMs, except: [b.endpoint.id] });
    expect(jobs.map(({ event, endpoint: to }) => [event, to])).toEqual([[first, a.endpoint.id]]);
    const next = await store.claim({ ...claim, nowMs, limit: 1 });
    expect(next).toHaveLength(1);
    expect(await store.claim({ ...claim, nowMs: nowMs - 1 })).toEqual([]);
  });

  test('is given to nobody else until it lapses, and then again', async () => {
    const { store, clock, endpoint, tell } = webhookBooks();
    await endpoint();
    await tell();
    const nowMs = clock.wallMs();
    const [job] = await store.claim({ ...claim, nowMs });
    expect(await store.claim({ ...claim, nowMs: nowMs + LEASE_MS - 1 })).toEqual([]);
    expect(await store.claim({ ...claim, nowMs: nowMs + LEASE_MS })).toEqual([job]);
  });

  test('that was overtaken changes nothing when it is noted late', async () => {
    const { store, clock, endpoint, tell, delivery } = webhookBooks();
    await endpoint();
    const event = await tell();
    const nowMs = clock.wallMs();
    const [job] = await store.claim({ ...claim, nowMs });
    if (job === undefined) throw new Error('nothing due');
    await store.delivered(job, nowMs, 200);
    const done = await delivery(event);
    await store.failed(job, { nowMs, status: 500, error: 'late', next: { kind: 'retry', atMs: nowMs } });
    expect(await delivery(event)).toEqual(done);
    expect(done).toMatchObject({ state: 'delivered', attempts: 1, lastStatus: 200 });
  });
});

test('whatever fails and lapses, each delivery is sent until it has been answered, and then never again', async () => {
  const outcomes = fc.array(fc.constantFrom('ok', 'fails', 'lapses'), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 }), outcomes, async (events, endpoints, plan) => {
      const { db, store, endpoint, tell } = webhookBooks();
      for (let i = 0; i < endpoints; i += 1) await endpoint();
      for (let i = 0; i < events; i += 1) await tell({ nowMs: 0 });
      const answered = new Set<string>();
      let turn = 0;
      for (let nowMs = 0; answered.size < events * endpoints; nowMs += LEASE_MS) {
        for (const job of await store.claim({ ...claim, nowMs })) {
          const key = `${job.event} ${job.endpoint}`;
          expect(answered).not.toContain(key);
          const outcome = plan[turn] ?? 'ok';
          turn += 1;
          if (outcome === 'ok') {
            answered.add(key);
            await store.delivered(job, nowMs, 200);
          } else if (outcome === 'fails') {
            await store.failed(job, { nowMs, status: 500, error: 'x', next: { kind: 'retry', atMs: nowMs + 3 * LEASE_MS } });
          }
        }
      }
      expect(await store.claim({ ...claim, nowMs: Number.MAX_SAFE_INTEGER })).toEqual([]);
      await db.destroy();
    }),
    { numRuns: 30 },
  );
});

describe('an endpoint', () => {
  test('keeps its secret sealed, and tells it once', async () => {
    const { db, endpoint, desk } = webhookBooks();
    const { secret, endpoint: made } = await endpoint();
    expect(secret).toMatch(/^whsec_/);
    const rows = await db.selectFrom('webhook_endpoints').selectAll().execute();
    expect(JSON.stringify([rows, await desk.get(made.id)])).not.toContain(secret);
  });

  test('that is disabled has its waiting events given up; enabled again it gets new ones, and old ones by hand', async () => {
    const { desk, endpoint, tell, delivery, woken } = webhookBooks();
    const { endpoint: made } = await endpoint();
    const event = await tell();
    expect((await desk.update(made.id, { isEnabled: false })).state).toMatchObject({ kind: 'disabled', reason: 'administrator' });
    expect(await delivery(event)).toMatchObject({ state: 'failed', lastError: 'The endpoint is disabled.' });
    await expect(desk.redeliver(event, made.id)).rejects.toMatchObject({ code: 'conflict', param: 'endpoint' });
    await expect(desk.test(made.id)).rejects.toMatchObject({ code: 'conflict' });
    expect((await desk.update(made.id, { isEnabled: true })).state).toEqual({ kind: 'enabled' });
    expect(woken.count).toBe(0);
    await desk.redeliver(event, made.id);
    expect(woken.count).toBe(1);
    expect(await delivery(event)).toMatchObject({ state: 'pending', attempts: 0 });
  });

  test('is sent an old event again only by hand; one that was made since gets it too', async () => {
    const { desk, endpoint, tell, store, clock } = webhookBooks();
    const event = await tell();
    expect((await desk.event(event)).deliveries).toEqual([]);
    const { endpoint: made } = await endpoint();
    expect(await store.claim({ ...claim, nowMs: clock.wallMs() })).toEqual([]);
    await desk.redeliver(event, null);
    expect(await store.claim({ ...claim, nowMs: clock.wallMs() })).toMatchObject([{ event, endpoint: made.id }]);
  });

  test('can be tried by an event for it alone, which cannot be sent to others', async () => {
    const { desk, endpoint } = webhookBooks();
    const { endpoint: made } = await endpoint({ eventTypes: ['invoice.paid'] });
    await endpoint();
    const event = await desk.test(made.id);
    expect(event).toMatchObject({ type: 'webhook.test', deliveries: [{ endpoint: made.id, state: 'pending' }] });
    await expect(desk.redeliver(event.id, null)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('that is removed takes its deliveries along', async () => {
    const { desk, endpoint, tell } = webhookBooks();
    const { endpoint: made } = await endpoint();
    const event = await tell();
    await desk.remove(made.id);
    expect((await desk.event(event)).deliveries).toEqual([]);
    await expect(desk.remove(made.id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(desk.get(made.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is refused beyond fifty for one organization', async () => {
    const { endpoint } = webhookBooks();
    for (let i = 0; i < 50; i += 1) await endpoint({ organization: 'org_a' });
    await expect(endpoint({ organization: 'org_a' })).rejects.toMatchObject({ code: 'conflict' });
    await endpoint({ organization: 'org_b' });
    await endpoint({ organization: null });
  });

  test('is refused with a URL that nothing may be sent to, and then stays as it was', async () => {
    const { desk, endpoint } = webhookBooks();
    const { endpoint: made } = await endpoint();
    await expect(endpoint({ url: 'https://10.0.0.1/' })).rejects.toMatchObject({ code: 'invalid_value', param: 'url' });
    await expect(desk.update(made.id, { url: 'http://example.com/', eventTypes: ['invoice.paid'] })).rejects.toMatchObject({ param: 'url' });
    expect(await desk.list({ limit: 10 })).toEqual([made]);
  });
});

test('events are listed oldest or newest first, page by page, by type and organization', async () => {
  const { desk, tell } = webhookBooks();
  const a = await tell();
  const b = await tell({ type: 'invoice.voided' });
  const c = await tell({ organization: 'org_b' });
  const ids = async (query: object) => (await desk.events({ limit: 10, order: 'asc', ...query })).map(({ id }) => id);
  expect(await ids({})).toEqual([a, b, c]);
  expect(await ids({ order: 'desc', limit: 2 })).toEqual([c, b]);
  expect(await ids({ order: 'desc', after: b })).toEqual([a]);
  expect(await ids({ after: a, limit: 1 })).toEqual([b]);
  expect(await ids({ organization: 'org_a' })).toEqual([a, b]);
  expect(await ids({ type: 'invoice.paid' })).toEqual([a, c]);
  await expect(ids({ after: 'evt_none' })).rejects.toMatchObject({ code: 'invalid_value', param: 'after' });
});
