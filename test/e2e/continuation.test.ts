import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_FAULTS, type RequestFaultKind, type SimEngine } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { recordOf } from '../support/usage-truth.ts';

const THINKING = { chat_template_kwargs: { thinking: true } };

/** What a client makes of a stream. */
interface Answer {
  readonly text: string;
  readonly reasoning: string;
  readonly finishReason: string | null;
  readonly ids: ReadonlySet<unknown>;
  readonly roles: number;
  readonly usage: Record<string, number> | null;
}

function answerOf(asking: Asking): Answer {
  let text = '';
  let reasoning = '';
  let finishReason: string | null = null;
  let roles = 0;
  let usage: Record<string, number> | null = null;
  for (const event of asking.events) {
    const [choice] = event['choices'] as { text?: string; delta?: Record<string, string>; finish_reason?: string | null }[];
    text += choice?.text ?? choice?.delta?.['content'] ?? '';
    reasoning += choice?.delta?.['reasoning_content'] ?? '';
    if (choice?.delta?.['role'] !== undefined) roles += 1;
    finishReason = choice?.finish_reason ?? finishReason;
    usage = (event['usage'] as Record<string, number> | null | undefined) ?? usage;
  }
  return { text, reasoning, finishReason, roles, usage, ids: new Set(asking.events.map(({ id, created, model }) => JSON.stringify([id, created, model]))) };
}

const chat = (content: string, more: object = {}): object => ({ model: MODEL, stream: true, messages: [{ role: 'user', content }], stream_options: { include_usage: true }, ...more });

interface Case {
  readonly what: string;
  readonly body: object;
  readonly path?: string;
}

const CASES: readonly Case[] = [
  { what: 'a free answer', body: chat('Tell me of the sea', { seed: 11 }) },
  { what: 'an answer of bounded length', body: chat('Tell me of the sea', { seed: 12, max_tokens: 70, ignore_eos: true }) },
  { what: 'an answer with reasoning', body: chat('Why is the sea salt?', { seed: 13, ...THINKING }) },
  { what: 'a text completion', body: { model: MODEL, prompt: 'Once upon a time', seed: 14, max_tokens: 90, ignore_eos: true, stream: true, stream_options: { include_usage: true } }, path: '/completions' },
  { what: 'an answer to a prompt that is open at its end', body: chat('', { seed: 15, continue_final_message: true, messages: [{ role: 'user', content: 'Go on' }, { role: 'assistant', content: 'The sea' }] }) },
];

/** Cuts early, in the middle, and late. */
const CUTS = [1, 2, 17, 41, 69, 70];

const WAYS = [
  { by: 'token ids', streamsTokenIds: true, from: 'node', to: 'node' },
  { by: 'text', streamsTokenIds: false, from: 'node', to: 'node' },
  { by: 'token ids', streamsTokenIds: true, from: 'agentless', to: 'node' },
  { by: 'token ids', streamsTokenIds: true, from: 'node', to: 'agentless' },
] as const;

const NEAR = 'gcp-us-east4';
const FAR = 'aws-us-west-2';

/** Two engines, of which the first is asked first as long as it may be: the other one is far dearer. */
async function twoEngines(from: 'node' | 'agentless', to: 'node' | 'agentless', streamsTokenIds: boolean): Promise<{ fleet: TestFleet; first: SimEngine; second: SimEngine }> {
  const nodes = [...(from === 'node' ? [NEAR] : []), ...(to === 'node' ? [FAR] : [])];
  const fleet = await startTestFleet({
    regions: Object.fromEntries(nodes.map((region) => [region, 1])),
    agentless: 2 - nodes.length,
    engine: { streamsTokenIds, timeScale: 100 },
    config: (config) => ({
      ...config,
      breaker: { ...config.breaker, failuresMax: 1_000, attemptsMin: 100_000 },
      balancer: { ...config.balancer, retryCostMs: 0, exploreShare: 0, regionPriceMs: { [to === 'node' ? FAR : 'oci-uk-london']: 1e6 } },
      timeouts: { ...config.timeouts, stallMs: 1_500 },
      replicas: config.replicas.map((replica) => ({ ...replica, continuation: streamsTokenIds ? 'tokens' : 'text' })),
    }),
  });
  const [one, other] = fleet.engines;
  if (one === undefined || other === undefined) throw new Error('there must be two engines');
  return from === 'agentless' ? { fleet, first: other, second: one } : { fleet, first: one, second: other };
}

interface ShownAttempt {
  readonly resumed: { readonly tokens: number; readonly by: string } | null;
}

async function routeOf(fleet: TestFleet, requestId: string): Promise<ShownAttempt[]> {
  return (await fleet.admin('GET', `/admin/v1/requests/${requestId}/route`)).json['attempts'] as ShownAttempt[];
}

/** The next request that reaches the engine is hit. */
function breakNext(engine: SimEngine, fault: RequestFaultKind): void {
  engine.faults.set({ ...NO_FAULTS, requests: [{ ...fault, times: 1, probability: 1 }] });
}

describe.each(WAYS)('an answer that breaks off goes on elsewhere by $by, from $from to $to', ({ from, to, streamsTokenIds }) => {
  let fleet: TestFleet;
  let first: SimEngine;

  beforeAll(async () => {
    ({ fleet, first } = await twoEngines(from, to, streamsTokenIds));
  });
  afterAll(() => fleet.close());

  const ask = (body: object, path?: string): Asking => new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, body, path === undefined ? {} : { path });

  test.each(CASES)('$what: as if nothing had happened', async ({ body, path }) => {
    const undisturbed = answerOf(await ask(body, path).over());
    for (const afterTokens of CUTS) {
      breakNext(first, { kind: 'reset', afterTokens });
      const asking = await ask(body, path).over();
      expect(asking.isDone, `cut after ${afterTokens} tokens: ${asking.text.slice(-300)}`).toBe(true);
      const answer = answerOf(asking);
      expect({ ...answer, ids: null, usage: null }, `cut after ${afterTokens} tokens`).toEqual({ ...undisturbed, ids: null, usage: null });
      expect(answer.ids.size).toBe(1);
      for (const name of ['prompt_tokens', 'completion_tokens', 'total_tokens']) expect(answer.usage?.[name]).toBe(undisturbed.usage?.[name]);
      const record = await recordOf(fleet, asking.requestId);
      expect(record).toMatchObject({ outcome: 'completed', status: 200, estimated: false });
      expect(record.usage).toMatchObject({ prompt_tokens: undisturbed.usage?.['prompt_tokens'], completion_tokens: undisturbed.usage?.['completion_tokens'] });
      const [, resumed] = await routeOf(fleet, asking.requestId);
      if (resumed !== undefined) expect(resumed.resumed?.by).toBe(streamsTokenIds ? 'tokens' : 'text');
      expect(record.attempts.map(({ outcome }) => outcome)).toEqual(resumed === undefined ? ['failed'] : ['failed', 'completed']);
    }
  });
});

describe('an answer that breaks off', () => {
  let fleet: TestFleet;
  let first: SimEngine;
  let second: SimEngine;

  beforeAll(async () => {
    ({ fleet, first, second } = await twoEngines('node', 'node', true));
  });
  afterAll(() => fleet.close());

  const ask = (body: object, path?: string): Asking => new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, body, path === undefined ? {} : { path });

  test.each<RequestFaultKind['kind']>(['stall', 'truncate'])('rows 8, 9 and 10: by a %s goes on elsewhere as well', async (kind) => {
    const body = chat('Tell me of hills', { seed: 4, max_tokens: 60, ignore_eos: true });
    const undisturbed = answerOf(await ask(body).over());
    breakNext(first, { kind, afterTokens: 9 } as RequestFaultKind);
    const asking = await ask(body).over();
    expect(answerOf(asking).text).toBe(undisturbed.text);
    expect(asking.isDone).toBe(true);
    const [, resumed] = await routeOf(fleet, asking.requestId);
    expect(resumed?.resumed).toEqual({ tokens: 9, by: 'tokens' });
  });

  test('ends where a stop sequence ends, wherever it broke off', async () => {
    const body = chat('Tell me of rivers', { seed: 5, max_tokens: 60, ignore_eos: true });
    const { text } = answerOf(await ask(body).over());
    for (const at of [40, 80, 120]) {
      const stop = text.slice(at, at + 14);
      const undisturbed = answerOf(await ask({ ...body, stop: [stop, 'never said'] }).over());
      expect(undisturbed).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finishReason: 'stop' });
      const tokens = undisturbed.usage?.['completion_tokens'] ?? 0;
      for (let afterTokens = Math.max(1, tokens - 5); afterTokens < tokens; afterTokens += 1) {
        breakNext(first, { kind: 'reset', afterTokens });
        const answer = answerOf(await ask({ ...body, stop: [stop, 'never said'] }).over());
        expect({ ...answer, ids: null, usage: null }, `stop ${JSON.stringify(stop)}, cut after ${afterTokens}`).toEqual({ ...undisturbed, ids: null, usage: null });
        expect(answer.usage?.['completion_tokens']).toBe(tokens);
      }
    }
    first.faults.clear();
  });

  test('twice ends in an error event, without [DONE], and what was delivered is charged', async () => {
    breakNext(first, { kind: 'reset', afterTokens: 10 });
    breakNext(second, { kind: 'reset', afterTokens: 12 });
    const asking = await ask(chat('Tell me of woods', { seed: 6, max_tokens: 60, ignore_eos: true })).over();
    expect(asking.isDone).toBe(false);
    expect(asking.error?.['code']).toBe('upstream_error');
    const record = await recordOf(fleet, asking.requestId);
    expect(record).toMatchObject({ outcome: 'failed', usage: { completion_tokens: 22 }, estimated: false });
  });

  test('that nobody can go on with ends in an error event, and its prompt is charged once', async () => {
    breakNext(first, { kind: 'reset', afterTokens: 10 });
    second.faults.set({ ...NO_FAULTS, requests: [{ kind: 'error503', times: null, probability: 1 }] });
    const asking = await ask(chat('Tell me of snow', { seed: 6, max_tokens: 60, ignore_eos: true })).over();
    second.faults.clear();
    expect(asking.error?.['code']).toBe('upstream_error');
    const record = await recordOf(fleet, asking.requestId);
    expect(record).toMatchObject({ outcome: 'failed', usage: { completion_tokens: 10 } });
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'failed']);
  });

  const schema = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } } };
  const tools = [{ type: 'function', function: { name: 'look', parameters: schema } }];
  test.each([
    ['several choices', { n: 2 }],
    ['log probabilities', { logprobs: true }],
    ['a JSON schema', { response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } }],
    ['a tool call', { tools, tool_choice: 'required' }],
    ['a grammar', { regex: '[a-z]+' }],
  ])('with %s is not gone on with', async (_what, more) => {
    breakNext(first, { kind: 'reset', afterTokens: 3 });
    const asking = await ask(chat('Tell me of rain', { seed: 6, max_tokens: 60, ...more })).over();
    first.faults.clear();
    expect(asking.isDone).toBe(false);
    expect(asking.error?.['code']).toBe('upstream_error');
    expect((await recordOf(fleet, asking.requestId)).attempts.length).toBe(1);
  });

  test('row 12: by an error that the engine itself tells is passed on', async () => {
    breakNext(first, { kind: 'midError', afterTokens: 3 });
    const asking = await ask(chat('Tell me of rain', { seed: 6, max_tokens: 60 })).over();
    expect(asking.error?.['message']).toContain('The scheduler met an error');
    expect((await recordOf(fleet, asking.requestId)).attempts.length).toBe(1);
  });

  test('goes on without the usage chunk for a client that has not asked for it', async () => {
    const body = { ...chat('Tell me of wind', { seed: 7, max_tokens: 40, ignore_eos: true }), stream_options: undefined };
    breakNext(first, { kind: 'reset', afterTokens: 3 });
    const asking = await ask(body).over();
    expect(asking.isDone).toBe(true);
    expect(asking.text).not.toContain('"usage"');
    expect((await recordOf(fleet, asking.requestId)).usage.completion_tokens).toBe(40);
  });

  test('and whose client leaves in the second part is charged for both parts', async () => {
    breakNext(first, { kind: 'reset', afterTokens: 10 });
    const asking = ask(chat('Tell me of stars', { seed: 8, max_tokens: 20_000, ignore_eos: true }));
    await until(() => asking.events.length > 200, 'the second part flows');
    asking.leave();
    const record = await recordOf(fleet, asking.requestId);
    expect(record).toMatchObject({ outcome: 'aborted', status: 499 });
    const rest = record.attempts[1]?.usage?.completion_tokens ?? 0;
    expect(rest).toBeGreaterThan(100);
    expect(record.usage.completion_tokens).toBe(10 + rest);
  });
});
