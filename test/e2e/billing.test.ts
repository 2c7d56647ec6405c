import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chargeOf, chargeTotal } from '../../src/billing/index.ts';
import { sumOf, usdText, type FemtoUsd } from '../../src/core/index.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startTestFleet({ regions: {}, agentless: 2 });
});
afterAll(() => fleet.close());

/** A client of an organization of its own. */
async function clientOf(organization: string): Promise<OpenAI> {
  const apiKey = (await fleet.gateway.keys.create({ name: organization, organization })).secret;
  return new OpenAI({ baseURL: fleet.gateway.publicUrl, apiKey, maxRetries: 0 });
}

const BODY = { model: MODEL, max_tokens: 10, messages: [{ role: 'user' as const, content: 'How much is it?' }] };
/** An upper bound of what `BODY` may cost: its bytes and the template at the miss price, and ten tokens. */
const HOLD_USD = '0.0004';

async function customer(organization: string, body?: object): Promise<Record<string, unknown>> {
  const path = `/admin/v1/customers/${organization}`;
  const { status, json } = await fleet.admin(body === undefined ? 'GET' : 'POST', path, body);
  expect(status).toBe(200);
  return json;
}

async function spentBy(organization: string): Promise<FemtoUsd> {
  await fleet.gateway.journal.flush();
  const { entries } = await fleet.gateway.journal.list({ limit: 1_000 });
  const own = entries.map(({ record }) => record).filter((record) => record.organization === organization);
  return sumOf(own.map(({ usage, price }) => chargeTotal(chargeOf(usage, price))));
}

describe('an organization that pays ahead', () => {
  test('is served as long as its credit holds, and is told what is missing then', async () => {
    const client = await clientOf('org_ahead');
    await customer('org_ahead', { terms: 'prepaid' });
    const refused = client.chat.completions.create(BODY);
    await expect(refused).rejects.toMatchObject({ status: 429, code: 'insufficient_quota', type: 'insufficient_quota', message: expect.stringContaining('the credit of your organization has $0.00 left') });
    const { status, json } = await fleet.admin('POST', '/admin/v1/credits', { organization: 'org_ahead', amount_usd: '1.00', kind: 'paid', note: 'bank transfer' });
    expect([status, json['amount_usd']]).toEqual([201, '1.00']);
    const { usage } = await client.chat.completions.create(BODY);
    expect(usage?.completion_tokens).toBe(10);
    const spent = await spentBy('org_ahead');
    expect(await customer('org_ahead')).toMatchObject({ credit_usd: '1.00', unbilled_usd: usdText(spent), available_usd: usdText((10n ** 15n - spent) as FemtoUsd), held_usd: '0.00' });
  });

  test('never spends more than it has, however many requests come at once', async () => {
    const client = await clientOf('org_crowd');
    await customer('org_crowd', { terms: 'prepaid' });
    await fleet.admin('POST', '/admin/v1/credits', { organization: 'org_crowd', amount_usd: '0.02' });
    const ends = await Promise.allSettled(Array.from({ length: 1_000 }, () => client.chat.completions.create(BODY)));
    const served = ends.filter(({ status }) => status === 'fulfilled').length;
    const codes = new Set(ends.flatMap((end) => (end.status === 'rejected' ? [Reflect.get(Object(end.reason), 'code')] : [])));
    expect(codes).toEqual(new Set(['insufficient_quota']));
    // At least as many as fit side by side; more, since a hold gives back what was not used.
    expect(served).toBeGreaterThanOrEqual(Math.floor(0.02 / Number(HOLD_USD)));
    const spent = await spentBy('org_crowd');
    expect(spent).toBeLessThanOrEqual(2n * 10n ** 13n);
    expect(await customer('org_crowd')).toMatchObject({ unbilled_usd: usdText(spent), held_usd: '0.00' });
  });

  test('gets a shorter answer where its key wants that rather than none', async () => {
    await customer('org_clamp', { terms: 'prepaid' });
    await fleet.admin('POST', '/admin/v1/credits', { organization: 'org_clamp', amount_usd: '0.0008' });
    const { json: key } = await fleet.admin('POST', '/admin/v1/keys', { name: 'clamp', organization: 'org_clamp', clamp_max_tokens: true });
    const client = new OpenAI({ baseURL: fleet.gateway.publicUrl, apiKey: String(key['key']), maxRetries: 0 });
    const { data, response } = await client.chat.completions.create({ ...BODY, max_tokens: 5_000, seed: 1 }).withResponse();
    const bound = Number(response.headers.get('x-meridian-max-tokens'));
    expect(bound).toBeGreaterThan(50);
    expect(bound).toBeLessThan(480);
    expect(data.usage?.completion_tokens).toBeLessThanOrEqual(bound);
    const spent = await spentBy('org_clamp');
    expect(spent).toBeLessThanOrEqual(8n * 10n ** 11n);
    // Without the wish it is refused.
    await fleet.admin('POST', `/admin/v1/keys/${String(key['id'])}`, { clamp_max_tokens: false });
    await expect(client.chat.completions.create({ ...BODY, max_tokens: 5_000 })).rejects.toMatchObject({ code: 'insufficient_quota' });
  });

  test('sees its balance where DeepSeek\'s clients look', async () => {
    const key = (await fleet.gateway.keys.create({ name: 'balance', organization: 'org_ahead' })).secret;
    const answer = await fetch(fleet.gateway.publicUrl.replace(/\/v1$/, '/user/balance'), { headers: { authorization: `Bearer ${key}` } });
    const left = usdText((10n ** 15n - (await spentBy('org_ahead'))) as FemtoUsd);
    expect(await answer.json()).toEqual({ is_available: true, balance_infos: [{ currency: 'USD', total_balance: left, granted_balance: '0.00', topped_up_balance: left }] });
  });
});

describe('a budget', () => {
  test('of a key stops that key alone, and the next one goes on', async () => {
    const [first, second] = [await clientOf('org_budget'), await clientOf('org_budget')];
    const { id } = await fleet.admin('GET', '/admin/v1/keys?limit=1000').then(({ json }) => (json['data'] as { id: string; organization: string }[]).find(({ organization }) => organization === 'org_budget') ?? { id: '' });
    const { status, json: budget } = await fleet.admin('POST', '/admin/v1/budgets', { organization: 'org_budget', scope: 'key', scope_id: id, amount_usd: '0.000001', period: 'total' });
    expect(status).toBe(201);
    await expect(first.chat.completions.create(BODY)).rejects.toMatchObject({ code: 'insufficient_quota', message: expect.stringContaining(String(budget['id'])) });
    await second.chat.completions.create(BODY);
    expect((await fleet.admin('DELETE', `/admin/v1/budgets/${String(budget['id'])}`)).json).toMatchObject({ archived_at: expect.any(Number) });
    await first.chat.completions.create(BODY);
  });

  test('that is soft warns and stops nobody; what was spent before it was made counts', async () => {
    const client = await clientOf('org_soft');
    await client.chat.completions.create(BODY);
    const { json } = await fleet.admin('POST', '/admin/v1/budgets', { organization: 'org_soft', amount_usd: '0.000001', hard: false });
    await client.chat.completions.create(BODY);
    const { json: read } = await fleet.admin('GET', `/admin/v1/budgets/${String(json['id'])}`);
    await fleet.gateway.feed.catchUp();
    expect(await fleet.admin('GET', `/admin/v1/budgets?organization=org_soft`)).toMatchObject({ json: { data: [{ spent_usd: usdText(await spentBy('org_soft')), hard: false }], has_more: false } });
    expect(read).toMatchObject({ amount_usd: '0.000001', period: 'month', scope: 'organization', warn_percents: [80, 100] });
  });
});

describe('an invoice of this month', () => {
  test('says what was used by now in every format, and cannot be finalized before the month is over', async () => {
    const client = await clientOf('org_invoice');
    await client.chat.completions.create(BODY);
    const period = new Date().toISOString().slice(0, 7);
    const query = `organization=org_invoice&period=${period}`;
    const { json: preview } = await fleet.admin('GET', `/admin/v1/invoices/of_month?${query}`);
    expect(preview).toMatchObject({ id: 'preview', status: 'draft', subtotal_usd: usdText(await spentBy('org_invoice')) });
    const { status, json: draft } = await fleet.admin('POST', '/admin/v1/invoices', { organization: 'org_invoice', period });
    expect([status, draft['lines']]).toEqual([201, preview['lines']]);
    for (const [format, type] of [['pdf', 'application/pdf'], ['html', 'text/html; charset=utf-8'], ['csv', 'text/csv; charset=utf-8']] as const) {
      const answer = await fetch(`${fleet.gateway.adminUrl}/admin/v1/invoices/${String(draft['id'])}?format=${format}`, { headers: { authorization: 'Bearer mk_admin_for_tests_only' } });
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type]);
      expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(200);
    }
    const finalized = await fleet.admin('POST', `/admin/v1/invoices/${String(draft['id'])}/finalize`);
    expect(finalized).toMatchObject({ status: 409, json: { error: { code: 'conflict', param: 'period' } } });
    expect(await fleet.admin('POST', `/admin/v1/invoices/${String(draft['id'])}/pay`)).toMatchObject({ status: 409, json: { error: { param: 'status' } } });
    expect((await fleet.admin('GET', '/admin/v1/invoices?organization=org_invoice')).json).toMatchObject({ data: [{ id: draft['id'], number: null }], has_more: false });
  });
});

describe('a price that is added', () => {
  test('holds from its time on in place of what held then, also after a restart; the past stays as it is', async () => {
    const from = '2999-01-01T00:00:00.000Z';
    const body = { model: MODEL, effective_from: from, input: 1, input_cached: 2, output: 3 };
    const { status, json } = await fleet.admin('POST', '/admin/v1/prices', body);
    expect([status, json]).toMatchObject([201, { ...body, effective_to: null }]);
    const rows = (await fleet.admin('GET', '/admin/v1/prices?limit=1000')).json['data'] as { effective_from: string; effective_to: string }[];
    expect(rows.slice(-2)).toMatchObject([{ effective_to: from }, { effective_from: from, effective_to: null, input: 1 }]);
    const first = (await fleet.admin('GET', '/admin/v1/prices?limit=1')).json;
    expect(first).toMatchObject({ has_more: true, data: [rows[0]] });
    expect(await fleet.admin('POST', '/admin/v1/prices', { ...body, effective_from: '2998-01-01T00:00:00Z', input: 9 })).toMatchObject({ status: 400, json: { error: { param: 'effective_from', message: expect.stringContaining('overlaps') } } });
    expect(await fleet.admin('POST', '/admin/v1/prices', { ...body, effective_from: '2020-01-01T00:00:00Z' })).toMatchObject({ status: 400, json: { error: { param: 'effective_from', message: expect.stringContaining('past') } } });
  });
});

test.each([
  ['POST', '/admin/v1/prices', { model: MODEL, effective_from: '2999-06-01 00:00', input: 1, input_cached: 1, output: 1 }, 'effective_from'],
  ['POST', '/admin/v1/prices', { model: MODEL, effective_from: '2999-06-01T00:00:00Z', input: 0.07, input_cached: 1, output: 1 }, 'input'],
  ['POST', '/admin/v1/prices', { model: MODEL, effective_from: '2999-06-01T00:00:00Z', input: -1, input_cached: 1, output: 1 }, 'input'],
  ['POST', '/admin/v1/prices', { model: MODEL, effective_from: '2999-06-01T00:00:00Z', currency: 'EUR', input: 1, input_cached: 1, output: 1 }, 'currency'],
  ['POST', '/admin/v1/credits', { organization: 'o', amount_usd: '-5.00' }, 'amount_usd'],
  ['POST', '/admin/v1/credits', { organization: 'o', amount_usd: 5 }, 'amount_usd'],
  ['POST', '/admin/v1/credits', { organization: 'o', amount_usd: '5.0000000000000001' }, 'amount_usd'],
  ['POST', '/admin/v1/credits', { organization: 'o', amount_usd: '5', currency: 'eur' }, 'currency'],
  ['POST', '/admin/v1/credits', { amount_usd: '5' }, 'organization'],
  ['POST', '/admin/v1/budgets', { organization: 'o', amount_usd: '0' }, 'amount_usd'],
  ['POST', '/admin/v1/budgets', { organization: 'o', amount_usd: '5', scope: 'key' }, 'scope_id'],
  ['POST', '/admin/v1/budgets', { organization: 'o', amount_usd: '5', warn_percents: [0.5] }, 'warn_percents[0]'],
  ['POST', '/admin/v1/customers/o', { terms: 'later' }, 'terms'],
  ['POST', '/admin/v1/customers/o', { buyer: { name: 'B', address: [], country: 'Germany' } }, 'buyer.country'],
  ['POST', '/admin/v1/customers/o', { taxes: [{ name: 'VAT', basis_points: 19.5 }] }, 'taxes[0].basis_points'],
  ['POST', '/admin/v1/invoices', { organization: 'o', period: '2026-13' }, 'period'],
  ['POST', '/admin/v1/invoices', { organization: 'o', period: '2199-01' }, 'period'],
] as const)('%s %s with %j is refused by the name of the field, and nothing is written', async (method, path, body, param) => {
  const { status, json } = await fleet.admin(method, path, body);
  expect([status, Reflect.get(Object(json['error']), 'param')]).toEqual([400, param]);
  expect((await customer('o'))['credit_usd']).toBe('0.00');
  expect((await fleet.admin('GET', '/admin/v1/budgets?organization=o')).json['data']).toEqual([]);
});
