import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GatewayConfig } from '../../src/config/index.ts';
import { NO_FAULTS, type RequestFault, type SimEngine } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { asUsage, engineTruth, recordOf, type ShownRecord } from '../support/usage-truth.ts';

const BODY = { model: MODEL, seed: 3, max_tokens: 30, ignore_eos: true, messages: [{ role: 'user', content: 'Tell me of the wind' }] };

/** Short, for the engines that are made to stall; and longer than a busy machine keeps one waiting that is not. */
const PATIENCE_MS = 1_500;

type Kind = RequestFault['kind'];

/** One node and one agentless replica; `first` is the one that every request tries first. */
const WAYS = [
  { first: 'link', dearRegion: 'oci-uk-london' },
  { first: 'agentless', dearRegion: 'gcp-us-east4' },
] as const;

function config(dearRegion: string, more: Partial<GatewayConfig> = {}) {
  return (base: GatewayConfig): GatewayConfig => ({
    ...base,
    breaker: { ...base.breaker, failuresMax: 1_000 },
    balancer: { ...base.balancer, regionPriceMs: { [dearRegion]: 1e6 } },
    retries: { ...base.retries, jitterMinMs: 0, jitterMaxMs: 5 },
    timeouts: { ...base.timeouts, firstTokenMs: PATIENCE_MS, stallMs: PATIENCE_MS, slowReaderMs: 400 },
    ...more,
  });
}

function fault(kind: Kind, afterTokens = 0, times: number | null = 1): RequestFault {
  return { kind, afterTokens, times, probability: 1 } as RequestFault;
}

function inject({ faults }: SimEngine | undefined = {} as SimEngine, ...requests: RequestFault[]): void {
  faults.set({ ...NO_FAULTS, requests });
}

function ask(fleet: TestFleet, body: object): Asking {
  return new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, body);
}

async function expectExact(fleet: TestFleet, record: ShownRecord): Promise<void> {
  const truth = await engineTruth(fleet.engines);
  expect(record.usage).toMatchObject(asUsage(truth.get(String(record.attempts.at(-1)?.id))));
  expect(record.estimated).toBe(false);
}

describe.each(WAYS)('a request that goes to the $first replica first', ({ first, dearRegion }) => {
  let fleet: TestFleet;
  let faulty: SimEngine | undefined;
  let undisturbed: string;

  beforeAll(async () => {
    fleet = await startTestFleet({ regions: { 'gcp-us-east4': 1 }, agentless: 1, config: config(dearRegion) });
    faulty = fleet.engines[first === 'link' ? 0 : 1];
    undisturbed = (await ask(fleet, BODY).over()).content;
  });
  afterAll(() => fleet.close());

  test.each([
    ['refuses the connection', fault('refuse'), 'upstream_error'],
    ['resets before the first byte', fault('reset'), 'upstream_error'],
    ['answers 503', fault('error503'), 'overloaded'],
    ['answers 429', fault('error429'), 'overloaded'],
    ['answers 200 without a token', fault('empty'), 'upstream_error'],
    ['makes no token in time', fault('stall'), 'upstream_timeout'],
  ])('rows 3, 4, 5 and 6: is served by the other when it %s, and the client sees nothing of it', async (_what, oneFault, code) => {
    inject(faulty, oneFault);
    const asking = await ask(fleet, { ...BODY, stream: true }).over();
    expect(asking.isDone).toBe(true);
    expect(asking.content).toBe(undisturbed);
    const record = await recordOf(fleet, asking.requestId);
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'completed']);
    expect(record.attempts[0]?.error_code).toBe(code);
    expect(new Set(record.attempts.map(({ replica }) => replica)).size).toBe(2);
    await expectExact(fleet, record);
  });

  test('is served by the other when an answer in one piece breaks off', async () => {
    inject(faulty, fault('reset', 9));
    const asking = await ask(fleet, BODY).over();
    expect(asking.content).toBe(undisturbed);
    expect((await recordOf(fleet, asking.requestId)).attempts.length).toBe(2);
  });

  test.each([
    ['is reset', fault('reset', 6)],
    ['ends early', fault('truncate', 6)],
    ['holds an error', fault('midError', 6)],
    ['stalls', fault('stall', 6)],
  ])('rows 8, 9, 10 and 12: that cannot go on elsewhere ends in an error event, and is billed what was delivered, when its stream %s after six tokens', async (_what, oneFault) => {
    inject(faulty, oneFault);
    const asking = await ask(fleet, { ...BODY, stream: true, logprobs: true }).over();
    expect(asking.isWhole).toBe(true);
    expect(asking.isDone).toBe(false);
    expect(asking.text).not.toContain('[DONE]');
    expect(asking.error?.['code']).toMatch(oneFault.kind === 'stall' ? 'upstream_timeout' : 'upstream_error');
    if (oneFault.kind === 'midError') expect(asking.error?.['message']).toContain('The scheduler met an error.');
    const record = await recordOf(fleet, asking.requestId);
    expect(record).toMatchObject({ outcome: 'failed', status: 200, usage: { completion_tokens: 6 } });
    expect(record.attempts.length, 'no retry after the first byte').toBe(1);
    await expectExact(fleet, record);
  });

  test("gets the engine's complaint about the request itself, and is not tried elsewhere", async () => {
    inject(faulty);
    const asking = await ask(fleet, { ...BODY, max_tokens: 30_000, messages: [{ role: 'user', content: 'far '.repeat(140_000) }] }).over();
    expect(asking.status).toBe(400);
    expect(asking.error?.['code']).toBe('context_length_exceeded');
    const record = await recordOf(fleet, asking.requestId);
    expect(record).toMatchObject({ outcome: 'failed', status: 400, usage: { prompt_tokens: 0, completion_tokens: 0 } });
    expect(record.attempts.length).toBe(1);
  });

  describe('and whose client leaves', () => {
    test.each([
      ['in mid-stream', { stream: true, max_tokens: 5_000 }, (asking: Asking) => asking.bytes > 4_000],
      ['in the prefill of a stream', { stream: true, messages: longPrompt() }, () => isRunning()],
      ['in the prefill of an answer in one piece', { messages: longPrompt() }, () => isRunning()],
      ['while an answer in one piece is made', { max_tokens: 5_000 }, () => isDecoding()],
    ])('rows 13 and 14: %s is aborted in the engine, and recorded as the engine has it', async (_when, more, isTime) => {
      const { length: before } = await records();
      inject(faulty);
      if ('messages' in more) faulty?.faults.set({ ...NO_FAULTS, slowdown: 4 });
      const asking = ask(fleet, { ...BODY, ...more });
      await until(() => isTime(asking), 'the client leaves');
      asking.leave();
      await until(() => !isRunning(), 'the engine has stopped');
      faulty?.faults.clear();
      await until(async () => (await records()).length > before, 'the request is settled');
      const record = (await records()).at(-1);
      expect(record).toMatchObject({ outcome: 'aborted', status: 499, estimated: false });
      expect(record?.usage.prompt_tokens).toBeGreaterThan(0);
      if ('messages' in more) expect(record?.usage.completion_tokens).toBe(0);
      else expect(record?.usage.completion_tokens).toBeLessThan(5_000);
      if (record !== undefined) await expectExact(fleet, record);
      expect(fleet.gateway.fleet.all().map(({ inFlight }) => inFlight)).toEqual([0, 0]);
    });

    function isRunning(): boolean {
      return faulty !== undefined && faulty.model.load().runningRequests > 0;
    }

    /** More in use than the prompt takes: tokens have been made. */
    function isDecoding(): boolean {
      return faulty !== undefined && faulty.model.load().waitingUncachedTokens === 0 && isRunning();
    }

    async function records(): Promise<ShownRecord[]> {
      const { json } = await fleet.admin('GET', '/admin/v1/requests?limit=1000');
      return json['data'] as ShownRecord[];
    }
  });

  test('row 15: stops for a client that does not read, who is cut, and pays for what was made', async () => {
    inject(faulty);
    const greedy = { ...BODY, stream: true, n: 8, max_tokens: 30_000, logprobs: true, top_logprobs: 20 };
    const asking = new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, greedy, { stopAfterBytes: 1_000 });
    await until(() => asking.requestId !== 'undefined', 'the answer begins');
    const record = await recordOf(fleet, asking.requestId);
    expect(record).toMatchObject({ outcome: 'aborted', status: 499 });
    expect(record.usage.completion_tokens).toBeLessThan(100_000);
    await expectExact(fleet, record);
    asking.readOn();
    await asking.over();
    expect(asking.isWhole).toBe(false);
  });
});

function longPrompt(): object[] {
  return [{ role: 'user', content: `${Math.imul(7, 31)} ${'over the hills and far away '.repeat(8_000)}` }];
}

describe('when every replica fails', () => {
  let fleet: TestFleet;

  beforeAll(async () => {
    fleet = await startTestFleet({ regions: { 'gcp-us-east4': 2, 'aws-us-west-2': 1 }, agentless: 1, config: config('nowhere') });
  });
  afterAll(() => fleet.close());

  test('a request is tried three times, each on another node, and then ends in an error', async () => {
    for (const engine of fleet.engines) inject(engine, fault('error503', 0, null));
    const asking = await ask(fleet, BODY).over();
    expect(asking.status).toBe(503);
    expect(asking.headers['retry-after']).toBeDefined();
    const record = await recordOf(fleet, asking.requestId);
    expect(new Set(record.attempts.map(({ replica }) => replica)).size).toBe(3);
    expect(record.attempts.length).toBe(3);
    expect(record).toMatchObject({ source: 'none', usage: { prompt_tokens: 0, completion_tokens: 0 } });
  });

  test('an answer already under way is never begun anew', async () => {
    for (const engine of fleet.engines) inject(engine, fault('reset', 1, null));
    const asking = await ask(fleet, { ...BODY, stream: true }).over();
    expect(asking.error?.['code']).toBe('upstream_error');
    const { attempts } = await recordOf(fleet, asking.requestId);
    expect(attempts.map(({ resumed_tokens: tokens }) => tokens)).toEqual([0, 1]);
  });

  test('an engine that crashes in mid-stream ends its stream in an error event, and its node goes', async () => {
    for (const engine of fleet.engines) inject(engine, fault('crash', 5));
    const asking = await ask(fleet, { ...BODY, stream: true }).over();
    expect(asking.isDone).toBe(false);
    expect(asking.error?.['code']).toBe('upstream_error');
    const { attempts } = await recordOf(fleet, asking.requestId);
    const crashed = fleet.gateway.fleet.get(String(attempts[0]?.replica));
    await until(() => crashed?.state === 'unhealthy', 'its node is left out');
  });
});
