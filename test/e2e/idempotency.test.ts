import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { AnswerStore } from '../../src/billing/index.ts';
import { NO_FAULTS } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

const BODY = { model: MODEL, max_tokens: 12, messages: [{ role: 'user' as const, content: 'Say it once' }] };

let fleet: TestFleet;
let dataDir: string;
beforeAll(async () => {
  fleet = await startTestFleet({ regions: {}, agentless: 1, config: (config) => ({ ...config, dataDir: (dataDir = config.dataDir) }) });
});
afterAll(() => fleet.close());

function ask(key: string, more: object = {}, apiKey = fleet.apiKey): Asking {
  return new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey }, { ...BODY, ...more }, { headers: { 'idempotency-key': key } });
}

async function records(): Promise<number> {
  await fleet.gateway.journal.flush();
  return (await fleet.gateway.journal.totals()).requests;
}

describe('a request with an Idempotency-Key', () => {
  test.each([false, true])('is answered again byte for byte, charged once, and names the first request (streamed: %s)', async (stream) => {
    const before = await records();
    const first = await ask(`again-${stream}`, { stream }).over();
    const second = await ask(`again-${stream}`, { stream }).over();
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.text).toBe(first.text);
    expect(second.isAcknowledged).toBe(true);
    expect(second.headers).toMatchObject({ 'idempotent-replayed': 'true', 'content-type': first.headers['content-type'], 'x-request-id': first.requestId });
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    expect(await records()).toBe(before + 1);
  });

  test('is understood by the SDK', async () => {
    const client = new OpenAI({ baseURL: fleet.gateway.publicUrl, apiKey: fleet.apiKey });
    const once = () => client.chat.completions.create({ ...BODY, seed: 7 }, { headers: { 'Idempotency-Key': 'sdk' } });
    const [one, two] = [await once(), await once()];
    expect(two.id).toBe(one.id);
    expect(two.choices).toEqual(one.choices);
  });

  test('of twenty at once one runs, and the others are told to wait, and then get its answer', async () => {
    const before = await records();
    // The one that runs must not be over before the others were looked at.
    for (const { model } of fleet.engines) model.slowdown = 500;
    const all = Array.from({ length: 20 }, () => ask('crowd'));
    await until(() => all.filter(({ isOver }) => isOver).length === 19, 'the others are refused');
    for (const { model } of fleet.engines) model.slowdown = 1;
    for (const asking of all) await asking.over();
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const { error, headers } of all.filter(({ status }) => status !== 200)) {
      expect(error?.['code']).toBe('idempotency_key_in_use');
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
    expect((await ask('crowd').over()).text).toBe(all.find(({ status }) => status === 200)?.text);
    expect(await records()).toBe(before + 1);
  });

  test('with another body or endpoint is refused; in another project it is another key', async () => {
    const first = await ask('other').over();
    const completion = new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, { model: MODEL, prompt: 'x' }, { path: '/completions', headers: { 'idempotency-key': 'other' } });
    for (const again of [ask('other', { max_tokens: 13 }), completion]) {
      const { status, error, headers } = await again.over();
      expect([status, error?.['code'], headers['x-should-retry']]).toEqual([409, 'idempotency_key_reused', 'false']);
    }
    const elsewhere = (await fleet.gateway.keys.create({ name: 'elsewhere', project: 'proj_elsewhere' })).secret;
    const another = await ask('other', {}, elsewhere).over();
    expect([another.status, another.headers['idempotent-replayed']]).toEqual([200, undefined]);
    expect(another.requestId).not.toBe(first.requestId);
    const sameProject = (await fleet.gateway.keys.create({ name: 'same project' })).secret;
    expect((await ask('other', {}, sameProject).over()).headers['idempotent-replayed']).toBe('true');
  });

  test('that failed without cost may be tried again; one that was left is over, and says so', async () => {
    for (const { faults } of fleet.engines) faults.set({ ...NO_FAULTS, requests: [{ kind: 'error503', times: null, probability: 1 }] });
    expect((await ask('failed').over()).status).toBe(503);
    for (const { faults } of fleet.engines) faults.clear();
    await until(async () => (await ask('failed').over()).status === 200, 'the replica is tried again');

    const left = ask('left', { stream: true, max_tokens: 3_000, ignore_eos: true });
    await until(() => left.bytes > 0, 'the stream flows');
    left.leave();
    await until(async () => (await ask('left', { stream: true, max_tokens: 3_000, ignore_eos: true }).over()).error?.['code'] === 'idempotency_result_gone', 'the request is over');
  });

  test('that is refused for its body leaves the key free', async () => {
    expect((await ask('free', { max_tokens: -1 }).over()).status).toBe(400);
    expect((await ask('free').over()).status).toBe(200);
  });

  test.each(['', 'ü', 'a b', 'x'.repeat(256)])('with the key %j is refused', async (key) => {
    const { status, error } = await ask(Buffer.from(key, 'utf8').toString('latin1')).over();
    expect([status, error?.['param']]).toEqual([400, 'idempotency-key']);
  });

  test('leaves neither its key nor its answer readable in the file', async () => {
    const { text } = await ask('a-very-secret-key', { stream: true }).over();
    const words = /"content":"([^"]{8,})"/.exec(text)?.[1] ?? 'chat.completion.chunk';
    const file = Buffer.concat(['', '-wal'].map((end) => readFileSync(join(dataDir, `idempotency.sqlite${end}`))));
    expect(file.includes('a-very-secret-key')).toBe(false);
    expect(file.includes(words)).toBe(false);
    expect(file.includes('chat.completion.chunk')).toBe(false);
  });
});

describe('kept answers', () => {
  const clock = new ManualClock();
  function opened(options: { path?: string; bytesMax?: number } = {}): { store: AnswerStore; path: string } {
    const directory = mkdtempSync(join(tmpdir(), 'meridian-answers-'));
    const path = options.path ?? join(directory, 'answers.sqlite');
    const store = new AnswerStore({ path, secret: Buffer.alloc(32, 3), ttlMs: 1_000, bytesMax: options.bytesMax ?? 1_000_000, clock });
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    return { store, path };
  }
  const asked = ['chat', Buffer.from('body')];

  test('are there after a restart; what was under way then is over', async () => {
    const { store, path } = opened();
    store.begin('p', 'done', asked, 'req_1');
    store.answered('p', 'done', 'application/json', Buffer.from('the answer'));
    store.begin('p', 'running', asked, 'req_2');
    expect(store.begin('p', 'running', asked, 'req_3')).toEqual({ kind: 'running', requestId: 'req_2' });
    store.close();
    const again = opened({ path }).store;
    onTestFinished(() => again.close());
    expect(again.begin('p', 'done', asked, 'req_4')).toEqual({ kind: 'answered', answer: { requestId: 'req_1', contentType: 'application/json', body: Buffer.from('the answer') } });
    expect(again.begin('p', 'running', asked, 'req_5')).toEqual({ kind: 'gone', requestId: 'req_2' });
    expect(again.begin('p', 'done', ['chat', Buffer.from('bodx')], 'req_6')).toEqual({ kind: 'other' });
    expect(again.begin('q', 'done', asked, 'req_7')).toEqual({ kind: 'new' });
  });

  test('are forgotten with their keys when their time is over', async () => {
    const { store } = opened();
    onTestFinished(() => store.close());
    store.begin('p', 'k', asked, 'req_1');
    store.answered('p', 'k', 'application/json', Buffer.from('x'));
    clock.advance(999);
    expect(store.begin('p', 'k', asked, 'req_2').kind).toBe('answered');
    clock.advance(1);
    expect(store.begin('p', 'k', asked, 'req_3').kind).toBe('new');
  });

  test('are dropped, the oldest first, when all are too large together; their keys are still known', async () => {
    const { store } = opened({ bytesMax: 2_500 });
    onTestFinished(() => store.close());
    for (const key of ['a', 'b', 'c']) {
      store.begin('p', key, asked, `req_${key}`);
      store.answered('p', key, 'application/json', Buffer.alloc(1_000));
      clock.advance(1);
    }
    expect(['a', 'b', 'c'].map((key) => store.begin('p', key, asked, 'req').kind)).toEqual(['gone', 'answered', 'answered']);
  });
});
