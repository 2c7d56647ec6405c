import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_LIMITS, type RateLimits } from '../../src/core/index.ts';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startTestFleet({ regions: {}, agentless: 1 });
});
afterAll(() => fleet.close());

const BODY = { model: MODEL, max_tokens: 10, messages: [{ role: 'user' as const, content: 'How often may I ask?' }] };

async function keyWith(limits: Partial<RateLimits>, project?: string): Promise<string> {
  return (await fleet.gateway.keys.create({ name: 'limited', limits: { ...NO_LIMITS, ...limits }, project })).secret;
}

function clientOf(apiKey: string): OpenAI {
  return new OpenAI({ baseURL: fleet.gateway.publicUrl, apiKey, maxRetries: 0 });
}

function ask(apiKey: string, more: object = {}): Asking {
  return new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey }, { ...BODY, ...more });
}

describe('limits of a key', () => {
  test('requests per minute: as many as there may be are served, and the headers count down', async () => {
    const key = await keyWith({ requestsPerMinute: 3 });
    for (const remaining of ['2', '1', '0']) {
      const { response } = await clientOf(key).chat.completions.create(BODY).withResponse();
      expect(response.headers.get('x-ratelimit-limit-requests')).toBe('3');
      expect(response.headers.get('x-ratelimit-remaining-requests')).toBe(remaining);
      expect(response.headers.get('x-ratelimit-reset-requests')).toMatch(/^(1m[01]s|[1-6]?\ds)$/);
      expect(response.headers.get('x-ratelimit-limit-tokens')).toBeNull();
    }
    const refused = await ask(key).over();
    expect([refused.status, refused.error?.['code'], refused.error?.['type']]).toEqual([429, 'rate_limit_exceeded', 'rate_limit_error']);
    expect(refused.error?.['message']).toContain('3 requests per minute');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.headers['x-ratelimit-remaining-requests']).toBe('0');
    // Looking at models is no request of that kind.
    expect((await clientOf(key).models.list()).data.length).toBeGreaterThan(0);
  });

  test('tokens per minute: what was expected is corrected by what was used', async () => {
    const key = await keyWith({ tokensPerMinute: 1_000 });
    const first = await ask(key, { max_tokens: 900, ignore_eos: false, stop: [' '] }).over();
    const { usage } = JSON.parse(first.text) as { usage: { total_tokens: number } };
    expect(usage.total_tokens).toBeLessThan(200);
    const { response } = await clientOf(key).chat.completions.create(BODY).withResponse();
    const remaining = Number(response.headers.get('x-ratelimit-remaining-tokens'));
    // The second request is still counted as it was expected when its head is sent.
    expect(remaining).toBeLessThanOrEqual(1_000 - usage.total_tokens - 10);
    expect(remaining).toBeGreaterThan(700);
    const refused = await ask(key, { max_tokens: 1_000 }).over();
    expect([refused.status, refused.error?.['message']]).toEqual([429, expect.stringContaining('1000 tokens per minute')]);
  });

  test('requests at once: the next one is let in when one is over', async () => {
    const key = await keyWith({ concurrentRequests: 1 });
    for (const { model } of fleet.engines) model.slowdown = 50;
    const running = ask(key, { stream: true, max_tokens: 2_000, ignore_eos: true });
    await until(() => running.bytes > 0, 'the stream flows');
    expect(await ask(key).over()).toMatchObject({ status: 429, error: { message: expect.stringContaining('1 requests at once') } });
    for (const { model } of fleet.engines) model.slowdown = 1;
    running.leave();
    await until(async () => (await ask(key).over()).status === 200, 'the next one is let in');
  });
});

test('a stream has the headers too', async () => {
  const asking = await ask(await keyWith({ requestsPerMinute: 9, tokensPerMinute: 5_000 }), { stream: true }).over();
  expect(asking.headers).toMatchObject({ 'x-ratelimit-limit-requests': '9', 'x-ratelimit-remaining-requests': '8', 'x-ratelimit-limit-tokens': '5000' });
});

test('keys of one project share its limits, and one of another project has its own', async () => {
  const project = await fleet.admin('POST', '/v1/organization/projects', { name: 'shared' });
  const id = String(project.json['id']);
  await fleet.admin('POST', `/admin/v1/projects/${id}/limits`, { limits: { requests_per_minute: 2 } });
  const [one, two] = [await keyWith({}, id), await keyWith({}, id)];
  expect([(await ask(one).over()).status, (await ask(two).over()).status, (await ask(one).over()).status, (await ask(two).over()).status]).toEqual([200, 200, 429, 429]);
  expect((await ask(await keyWith({})).over()).status).toBe(200);
  await fleet.admin('POST', `/admin/v1/projects/${id}/limits`, { limits: { requests_per_minute: 3 } });
  expect((await ask(two).over()).status).toBe(200);
});

test('the limit of a model in a project, set in the shape of OpenAI, counts', async () => {
  const project = await fleet.admin('POST', '/v1/organization/projects', { name: 'model' });
  const id = String(project.json['id']);
  const key = await keyWith({}, id);
  await fleet.admin('POST', `/v1/organization/projects/${id}/rate_limits/rl-${MODEL}`, { max_requests_per_1_minute: 1 });
  expect([(await ask(key).over()).status, (await ask(key).over()).status]).toEqual([200, 429]);
});

test('what was refused for its body is no request', async () => {
  const key = await keyWith({ requestsPerMinute: 1 });
  expect((await ask(key, { max_tokens: 'many' }).over()).status).toBe(400);
  expect((await ask(key).over()).status).toBe(200);
});

test('without limits there are no such headers', async () => {
  const { headers } = await ask(fleet.apiKey).over();
  expect(Object.keys(headers).filter((name) => name.startsWith('x-ratelimit'))).toEqual([]);
});
