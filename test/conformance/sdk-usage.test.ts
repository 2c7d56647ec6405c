import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chargeOf, chargeTotal, type UsageRecord } from '../../src/billing/index.ts';
import { parseUsd, sumOf, usdText } from '../../src/core/index.ts';
import { ADMIN_KEY, MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';

let fleet: TestFleet;
let client: OpenAI;
let records: UsageRecord[];
let startS: number;

/** A day before now, so that what is admitted is in the range whatever the hour. */
const DAY_S = 86_400;

beforeAll(async () => {
  fleet = await startTestFleet({ regions: {}, agentless: 1 });
  const { gateway } = fleet;
  startS = Math.floor(Date.now() / 1_000) - DAY_S;
  const other = (await gateway.keys.create({ name: 'other', organization: 'org_other', project: 'proj_other' })).secret;
  for (const [apiKey, count] of [[fleet.apiKey, 3], [other, 2]] as const) {
    const inference = new OpenAI({ baseURL: gateway.publicUrl, apiKey });
    for (let i = 0; i < count; i += 1) {
      await inference.chat.completions.create({ model: MODEL, max_tokens: 5 + i, messages: [{ role: 'user', content: 'What does it cost?' }] });
    }
    await inference.embeddings.create({ model: MODEL, input: 'no answer' }).catch(() => {});
  }
  await gateway.journal.flush();
  records = (await gateway.journal.list({ limit: 100 })).entries.map(({ record }) => record);
  client = new OpenAI({ baseURL: `${gateway.adminUrl}/v1`, apiKey: null, adminAPIKey: ADMIN_KEY });
});
afterAll(() => fleet.close());

const costOf = (list: readonly UsageRecord[]): string => usdText(sumOf(list.map(({ usage, price }) => chargeTotal(chargeOf(usage, price)))));
const chats = (): UsageRecord[] => records.filter(({ endpoint }) => endpoint === 'chat.completions');

describe('usage and costs through the SDK', () => {
  test('completions are counted exactly, by day and by group', async () => {
    const page = await client.admin.organization.usage.completions({ start_time: startS, group_by: ['project_id', 'model', 'service_tier'] });
    expect(page).toMatchObject({ object: 'page', has_more: false, next_page: null });
    const results = page.data.flatMap(({ results: list }) => list);
    // Summed, should midnight have passed between the requests.
    const total = (project: string, field: string): number => results.reduce((sum, one) => sum + (Reflect.get(one, 'project_id') === project ? Number(Reflect.get(one, field)) : 0), 0);
    for (const project of ['proj_default', 'proj_other']) {
      const own = chats().filter((record) => record.project === project);
      expect(total(project, 'num_model_requests')).toBe(own.length);
      expect(total(project, 'input_tokens')).toBe(own.reduce((sum, { usage }) => sum + usage.promptTokens, 0));
      expect(total(project, 'input_cached_tokens')).toBe(own.reduce((sum, { usage }) => sum + usage.cachedTokens, 0));
      expect(total(project, 'output_tokens')).toBe(own.reduce((sum, { usage }) => sum + usage.completionTokens, 0));
      expect(results.find((one) => Reflect.get(one, 'project_id') === project)).toMatchObject({ model: MODEL, service_tier: 'standard', api_key_id: null, batch: null });
    }
  });

  test('costs are the cost of every request, to the last digit, in all and line by line', async () => {
    const whole = await client.admin.organization.usage.costs({ start_time: startS });
    const exact = whole.data.flatMap(({ results }) => results.map((one) => Reflect.get(Object(Reflect.get(one, 'amount')), 'exact')));
    expect(usdText(sumOf(exact.map((text) => parseUsd(String(text)) ?? sumOf([]))))).toBe(costOf(records));
    expect(Number(costOf(records))).toBeGreaterThan(0);
    const lines = await client.admin.organization.usage.costs({ start_time: startS, group_by: ['line_item', 'project_id'], project_ids: ['proj_other'] });
    const outputs = (list: readonly object[]): number => list.reduce((sum: number, one) => sum + (Reflect.get(one, 'line_item') === `${MODEL}, output_tokens` ? Number(Reflect.get(one, 'quantity')) : 0), 0);
    const texts = lines.data.flatMap(({ results }) => results.map((one) => (one.object === 'organization.costs.result' ? [one.line_item, one.quantity, one.project_id] : [])));
    const output = chats().filter(({ project }) => project === 'proj_other').reduce((sum, { usage }) => sum + usage.completionTokens, 0);
    expect(outputs(lines.data.flatMap(({ results }) => results))).toBe(output);
    expect(texts.every(([, , project]) => project === 'proj_other')).toBe(true);
    const one = await client.admin.organization.usage.costs({ start_time: startS, line_items: [`${MODEL}, output_tokens`] });
    expect(new Set(one.data.flatMap(({ results }) => results.map((line) => Reflect.get(line, 'line_item'))))).toEqual(new Set([`${MODEL}, output_tokens`]));
  });

  test('an organization is told its own usage only', async () => {
    const own = await client.admin.organization.usage.completions({ start_time: startS }, { headers: { 'OpenAI-Organization': 'org_other' } });
    const counts = own.data.flatMap(({ results }) => results.map((one) => Reflect.get(one, 'num_model_requests')));
    expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(2);
  });

  test('pages follow one another without a gap, and empty buckets are there', async () => {
    const pages: { start: number; end: number; results: number }[] = [];
    let page: string | undefined;
    do {
      const got = await client.admin.organization.usage.completions({ start_time: startS, bucket_width: '1h', limit: 10, ...(page === undefined ? {} : { page }) });
      expect(got.data.length).toBeLessThanOrEqual(10);
      pages.push(...got.data.map((bucket) => ({ start: bucket.start_time, end: bucket.end_time, results: bucket.results.length })));
      page = got.next_page ?? undefined;
      expect(got.has_more).toBe(page !== undefined);
    } while (page !== undefined);
    expect(pages[0]?.start).toBe(startS - (startS % 3_600));
    expect(pages.slice(1).map(({ start }) => start)).toEqual(pages.slice(0, -1).map(({ end }) => end));
    expect(pages.every(({ start, end }) => end === start + 3_600)).toBe(true);
    expect(pages.reduce((sum, { results }) => sum + results, 0)).toBeGreaterThan(0);
    expect(pages.length).toBeGreaterThanOrEqual(24);
  });

  test.each([
    ['a limit that is too large', { limit: 200, bucket_width: '1d' }, 'limit'],
    ['an end before the start', { end_time: 1 }, 'end_time'],
    ['a page of another list', { page: 'page_12' }, 'page'],
    ['an unknown group', { group_by: ['colour'] }, 'group_by[0]'],
    ['a time that is no number', { start_time: 'yesterday' }, 'start_time'],
    ['a fraction of a second', { start_time: 1.5 }, 'start_time'],
    ['an unknown width', { bucket_width: '1w' }, 'bucket_width'],
    ['an unknown parameter', { user: 'x' }, 'user'],
  ])('%s is refused by name', async (_what, query, param) => {
    const asked = { start_time: startS, ...query } as unknown as Parameters<typeof client.admin.organization.usage.completions>[0];
    await expect(client.admin.organization.usage.completions(asked, { maxRetries: 0 })).rejects.toMatchObject({ status: 400, param });
  });

  test('brackets, repetition and one value alone are all a list', async () => {
    for (const query of ['group_by[]=model&group_by[]=project_id', 'group_by=model&group_by=project_id', 'group_by=model']) {
      const { status, json } = await fleet.admin('GET', `/v1/organization/usage/completions?start_time=${startS}&${query}`);
      expect(status).toBe(200);
      expect(JSON.stringify(json)).toContain(`"model":"${MODEL}"`);
    }
  });

  test('without an admin key nothing is told', async () => {
    const stranger = new OpenAI({ baseURL: `${fleet.gateway.adminUrl}/v1`, apiKey: null, adminAPIKey: fleet.apiKey, maxRetries: 0 });
    await expect(stranger.admin.organization.usage.costs({ start_time: startS })).rejects.toMatchObject({ status: 401 });
  });
});
