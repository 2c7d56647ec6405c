import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRng, type Rng } from '../../src/core/index.ts';
import { NO_FAULTS, type RequestFault } from '../../src/sim/index.ts';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { allRecords, asUsage, engineTruth, type EngineTruth, type ShownRecord } from '../support/usage-truth.ts';

const SEED = Number(process.env['MERIDIAN_TEST_SEED'] ?? 1);
const UNREAD_MAX = 60;
const REQUESTS = 300;
const AT_ONCE = 32;

/** Every way of failing that leaves the engine running, some on each engine. */
const FAULTS: readonly RequestFault[] = [
  { kind: 'refuse', times: null, probability: 0.03 },
  { kind: 'error503', times: null, probability: 0.03 },
  { kind: 'error429', times: null, probability: 0.03 },
  { kind: 'empty', times: null, probability: 0.03 },
  { kind: 'garbage', times: null, probability: 0.03 },
  { kind: 'reset', afterTokens: 0, times: null, probability: 0.03 },
  { kind: 'reset', afterTokens: 7, times: null, probability: 0.03 },
  { kind: 'truncate', afterTokens: 3, times: null, probability: 0.03 },
  { kind: 'midError', afterTokens: 5, times: null, probability: 0.03 },
  { kind: 'stall', afterTokens: 0, times: 1, probability: 0.1 },
  { kind: 'stall', afterTokens: 4, times: 2, probability: 0.1 },
];

interface Mix {
  readonly body: object;
  readonly path: string;
  readonly leave: 'never' | 'once sent' | 'in prefill' | { readonly afterBytes: number } | { readonly afterMs: number };
}

/** One request of the mix: half of them stay to the end, the others leave at a moment of their own. */
function mixed(rng: Rng): Mix {
  const upTo = (n: number): number => Math.floor(rng.next() * n);
  const stream = rng.next() < 0.65;
  const isText = rng.next() < 0.2;
  const isLong = rng.next() < 0.15;
  const prompt = `${['The sea', 'A mountain road', 'Of rivers'][upTo(3)] ?? ''} ${'and the salt wind that comes from it '.repeat(isLong ? 500 + upTo(2_000) : 1 + upTo(80))}`;
  const body = {
    model: MODEL,
    seed: upTo(1_000),
    max_tokens: 1 + upTo(70),
    // A fault just at the mark that ends an answer hides that token from everybody but the engine.
    ignore_eos: true,
    stream,
    ...(stream && rng.next() < 0.5 ? { stream_options: { include_usage: true } } : {}),
    ...(rng.next() < 0.1 ? { n: 2 } : {}),
    ...(isText ? { prompt } : { messages: [{ role: 'user', content: prompt }] }),
  };
  const leave = ((): Mix['leave'] => {
    const chance = rng.next();
    if (chance < 0.5) return 'never';
    if (chance < 0.55) return 'once sent';
    if (chance < 0.65) return 'in prefill';
    return stream && chance < 0.85 ? { afterBytes: 1 + upTo(8_000) } : { afterMs: upTo(80) };
  })();
  return { body, path: isText ? '/completions' : '/chat/completions', leave };
}

let fleet: TestFleet;
let asked: Asking[];
let records: ShownRecord[];
let truth: Map<string, EngineTruth>;

/** Sends one request, and leaves it as the mix says. */
async function run({ body, path, leave }: Mix): Promise<Asking> {
  const { gateway, apiKey, engines } = fleet;
  const asking = new Asking({ publicUrl: gateway.publicUrl, apiKey }, body, { path });
  if (leave === 'never') return asking.over();
  if (typeof leave === 'object' && 'afterMs' in leave) {
    setTimeout(() => asking.leave(), leave.afterMs);
    return asking.over();
  }
  const isTime = {
    'once sent': () => asking.isSent,
    'in prefill': () => asking.isSent && engines.some(({ model }) => model.load().runningRequests > 0),
    bytes: () => typeof leave === 'object' && asking.bytes > leave.afterBytes,
  }[typeof leave === 'object' ? 'bytes' : leave];
  await until(() => asking.isOver || isTime(), 'the client leaves');
  asking.leave();
  return asking.over();
}

beforeAll(async () => {
  fleet = await startTestFleet({
    regions: { 'gcp-us-east4': 2, 'aws-us-west-2': 1 },
    agentless: 2,
    config: (config) => ({
      ...config,
      // Breakers would soon leave nobody to fail.
      breaker: { ...config.breaker, failuresMax: 1_000 },
      retries: { ...config.retries, jitterMinMs: 0, jitterMaxMs: 5 },
      timeouts: { ...config.timeouts, firstTokenMs: 1_000, stallMs: 1_000, totalMs: 2_500 },
    }),
  });
  for (const { faults } of fleet.engines) faults.set({ ...NO_FAULTS, requests: FAULTS });
  const rng = seededRng(SEED);
  const mix = Array.from({ length: REQUESTS }, () => mixed(rng));
  asked = [];
  const worker = async (): Promise<void> => {
    for (let next = mix.shift(); next !== undefined; next = mix.shift()) asked.push(await run(next));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await until(() => fleet.gateway.fleet.all().every(({ inFlight }) => inFlight === 0), 'every permit is given back');
  // A client that left as soon as it had sent its request may have left before the gateway had read it.
  const told = asked.filter(({ status }) => status !== 0).map(({ requestId }) => requestId);
  const isSettled = async (): Promise<boolean> => {
    records = await allRecords(fleet);
    const ids = new Set(records.map(({ id }) => id));
    return told.every((id) => ids.has(id)) && records.length >= REQUESTS - UNREAD_MAX;
  };
  await until(isSettled, 'every request has its record');
  truth = await engineTruth(fleet.engines);
}, 60_000);
afterAll(() => fleet.close());

describe(`over ${REQUESTS} requests, whole, aborted, failed and retried (seed ${SEED})`, () => {
  test('the mix holds what it should', () => {
    const attempts = records.flatMap((record) => record.attempts);
    for (const outcome of ['completed', 'aborted', 'failed']) {
      // Few fail in the end: what breaks off goes on elsewhere.
      expect(records.filter((record) => record.outcome === outcome).length).toBeGreaterThan(outcome === 'failed' ? 1 : 5);
      const kinds = new Set(attempts.filter((attempt) => attempt.outcome === outcome).map(({ replica }) => replica.startsWith('agentless')));
      expect(kinds.size, 'over links and agentless').toBe(2);
    }
    expect(records.filter((record) => record.attempts.length > 1 && record.outcome === 'completed').length).toBeGreaterThan(5);
    expect(records.filter((record) => record.usage.cached_tokens > 0).length).toBeGreaterThan(5);
  });

  test('each request has exactly one record', () => {
    expect(records.length).toBeLessThanOrEqual(REQUESTS);
    expect(new Set(records.map(({ id }) => id)).size).toBe(records.length);
    const told = asked.filter(({ status }) => status !== 0);
    for (const { requestId } of told) expect(records.some(({ id }) => id === requestId)).toBe(true);
  });

  /** What the attempt made, by its engine; nothing for one that is not charged. */
  function chargeable(attempt: ShownRecord['attempts'][number] | undefined): ReturnType<typeof asUsage> {
    const told = truth.get(String(attempt?.id));
    // What broke off before its first token is the operator's loss, and so is what broke off untold as the client left.
    const isUntold = attempt?.outcome === 'aborted' && attempt.usage === null && told?.outcome === 'failed';
    const isFree = isUntold || (attempt?.outcome === 'failed' && attempt.ttft_ms === null);
    return asUsage(isFree ? undefined : told);
  }

  /** One prompt, and the tokens of both parts of an answer that went on elsewhere. */
  function expected({ attempts }: ShownRecord): ReturnType<typeof asUsage> {
    const last = attempts.at(-1);
    const delivered = last?.resumed_tokens ?? 0;
    if (delivered === 0) return chargeable(last);
    const first = chargeable(attempts.findLast(({ resumed_tokens: tokens, ttft_ms: ttftMs }) => tokens === 0 && ttftMs !== null));
    // A client that left before the second part had come has nothing of it.
    const rest = last?.ttft_ms == null ? 0 : chargeable(last).completion_tokens;
    return { ...first, completion_tokens: delivered + rest };
  }

  /** An answer that its deadline cut while it flowed is charged as delivered: what the engine made until it obeyed is the operator's loss. */
  function isCutByDeadline({ attempts }: ShownRecord): boolean {
    const last = attempts.at(-1);
    return last?.error_code === 'upstream_timeout' && last.ttft_ms !== null && truth.get(last.id)?.outcome === 'aborted';
  }

  test('what was recorded for the attempts that count is what their engines made', () => {
    const wrong = records.filter((record) => {
      const { prompt_tokens, cached_tokens, completion_tokens } = record.usage;
      const made = expected(record);
      const isFewer = isCutByDeadline(record) && completion_tokens > 0 && completion_tokens < made.completion_tokens;
      const counts = isFewer ? { ...made, completion_tokens } : made;
      return JSON.stringify({ prompt_tokens, cached_tokens, completion_tokens }) !== JSON.stringify(counts);
    });
    expect(wrong.map((record) => ({ record, expected: expected(record) }))).toEqual([]);
  });

  test('answers that broke off went on elsewhere, once', () => {
    const resumed = records.filter(({ attempts }) => attempts.some(({ resumed_tokens: tokens }) => tokens > 0));
    expect(resumed.filter(({ outcome }) => outcome === 'completed').length).toBeGreaterThan(3);
    for (const { attempts } of resumed) expect(new Set(attempts.map(({ resumed_tokens: tokens }) => tokens)).size).toBe(2);
  });

  test('no count is an estimate, and none had to be adjusted', () => {
    expect(records.filter((record) => record.estimated)).toEqual([]);
    const winners = new Set(records.map(({ attempts }) => attempts.at(-1)?.id));
    expect(records.flatMap(({ adjustments }) => adjustments).filter(({ attempt_id: id }) => winners.has(id))).toEqual([]);
  });

  test('every attempt that reached an engine stands in the record of its request', () => {
    const attempts = new Map(records.flatMap((record) => record.attempts.map((attempt) => [attempt.id, attempt])));
    expect([...truth.keys()].filter((rid) => !attempts.has(rid))).toEqual([]);
    const counted = [...attempts.values()].filter(({ id, usage }) => usage !== null && usage.prompt_tokens > 0 && !truth.has(id));
    expect(counted).toEqual([]);
  });

  test('whole answers, and no others, were acknowledged', () => {
    for (const asking of asked.filter(({ hasLeft }) => !hasLeft)) {
      const record = records.find(({ id }) => id === asking.requestId);
      expect(asking.isAcknowledged, `${record?.outcome}: ${asking.text.slice(-300)}`).toBe(record?.outcome === 'completed');
      if (record?.outcome === 'failed') expect(asking.error?.['code']).toBe(record.error_code);
    }
  });
});
