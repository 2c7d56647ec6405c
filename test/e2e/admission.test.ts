import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { recordOf } from '../support/usage-truth.ts';

const CANARY = `${MODEL}-next`;

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await startTestFleet({
    regions: { 'gcp-us-east4': 1, 'aws-us-west-2': 1 },
    config: (config) => ({
      ...config,
      models: { ...config.models, [CANARY]: { contextTokens: 1_000, outputTokensMax: 100, bytesPerToken: 4, free: true, servedAs: MODEL } },
      aliases: { chat: { versions: [{ model: MODEL, weight: 1 }, { model: CANARY, weight: 0 }] } },
      dedicated: [{ organization: 'acme', nodes: ['aws-us-west-2-2'], overflow: false }],
      admission: { ...config.admission, ttftObjectiveMs: 20, overShareWaitMs: 20, deadlineMs: { critical: 60_000, standard: 60_000, batch: 60_000 } },
    }),
  });
});
afterAll(() => fleet.close());

interface Ask {
  readonly body?: object;
  readonly headers?: Record<string, string>;
  readonly apiKey?: string;
}

function ask({ body = {}, headers = {}, apiKey = fleet.apiKey }: Ask = {}): Asking {
  const whole = { model: MODEL, stream: true, max_tokens: 5, messages: [{ role: 'user', content: 'May I?' }], ...body };
  return new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey }, whole, { headers });
}

async function replicaOf(asking: Asking): Promise<string | undefined> {
  return (await recordOf(fleet, asking.requestId)).attempts.at(-1)?.replica;
}

describe('constraints', () => {
  test('a node set aside serves its organisation, and nobody else', async () => {
    const { secret } = await fleet.gateway.keys.create({ name: 'acme', organization: 'acme' });
    for (let i = 0; i < 4; i += 1) {
      expect(await replicaOf(await ask({ apiKey: secret }).over())).toBe('aws-us-west-2-2');
      expect(await replicaOf(await ask().over())).toBe('gcp-us-east4-1');
    }
  });

  test('a key that may use nothing that serves the model is told so', async () => {
    const { secret } = await fleet.gateway.keys.create({ name: 'nowhere', organization: 'acme', regions: ['gcp-us-east4'] });
    const asking = await ask({ apiKey: secret }).over();
    expect([asking.status, asking.error?.['code']]).toEqual([403, 'permission_denied']);
  });

  test('an alias is listed, answers as one of its versions, and that one is in the record', async () => {
    const asking = await ask({ body: { model: 'chat' } }).over();
    expect(asking.status).toBe(200);
    expect(Reflect.get(await recordOf(fleet, asking.requestId), 'model')).toBe(MODEL);
    const { data } = (await (await fetch(`${fleet.gateway.publicUrl}/models`, { headers: { authorization: `Bearer ${fleet.apiKey}` } })).json()) as {
      data: { id: string }[];
    };
    expect(data.map(({ id }) => id)).toContain('chat');
  });

  test.each([
    [{ 'x-meridian-priority': 'critical' }, 403, 'permission_denied'],
    [{ 'x-meridian-priority': 'now' }, 400, 'invalid_value'],
    [{ 'x-meridian-deadline-ms': '-1' }, 400, 'invalid_value'],
    [{ 'x-meridian-sesion': 'x' }, 400, 'unknown_parameter'],
  ])('hints that are wrong are refused: %o', async (headers, status, code) => {
    const asking = await ask({ headers }).over();
    expect([asking.status, asking.error?.['code'], asking.error?.['param']]).toEqual([status, code, Object.keys(headers)[0]]);
  });
});

describe('while every replica is busy', () => {
  let prompts = 0;

  /** Keeps the one replica that everybody may use at work on a long prompt, which nothing of is cached. */
  async function busy(): Promise<Asking> {
    prompts += 1;
    const long = ask({ body: { messages: [{ role: 'user', content: `${prompts} ${'the long and winding road '.repeat(16_000)}` }] } });
    await until(() => (fleet.gateway.fleet.get('gcp-us-east4-1')?.load?.queuedUncachedTokens ?? 0) > 20_000, 'the replica is busy');
    return long;
  }

  test('a request waits at the edge, and goes when there is room', async () => {
    const long = await busy();
    const waiting = ask();
    await until(async () => (await metric('meridian_waiting')) > 0, 'it waits');
    expect(fleet.gateway.fleet.get('gcp-us-east4-1')?.inFlight).toBe(1);
    await Promise.all([long.over(), waiting.over()]);
    expect([long.status, waiting.status]).toEqual([200, 200]);
    const { json } = await fleet.admin('GET', `/admin/v1/requests/${waiting.requestId}/route`);
    expect(json['held_ms']).toBeGreaterThan(0);
  });

  test('a request is answered 429 with Retry-After once its own deadline has passed', async () => {
    const long = await busy();
    const late = await ask({ headers: { 'x-meridian-deadline-ms': '1' } }).over();
    expect([late.status, late.error?.['code']]).toEqual([429, 'rate_limit_exceeded']);
    expect(Number(late.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect((await long.over()).status).toBe(200);
  });

  test('a client that leaves waits no more', async () => {
    const long = await busy();
    const leaving = ask();
    await until(async () => (await metric('meridian_waiting')) > 0, 'it waits');
    leaving.leave();
    await until(async () => (await metric('meridian_waiting')) === 0, 'it is gone');
    expect((await long.over()).status).toBe(200);
  });
});

/** The sum of a metric over its labels. */
async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${fleet.gateway.adminUrl}/metrics`)).text();
  const values = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
