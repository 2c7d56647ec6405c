import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRng } from '../../src/core/index.ts';
import { NO_FAULTS } from '../../src/sim/index.ts';
import type { Asking } from '../support/asking.ts';
import { expectedCharge } from '../support/expected-charge.ts';
import { FAULTS, impatient, mixed, run } from '../support/mixed-load.ts';
import { startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { allRecords, engineTruth, type EngineTruth, type ShownRecord } from '../support/usage-truth.ts';

const SEED = Number(process.env['MERIDIAN_TEST_SEED'] ?? 1);
const UNREAD_MAX = 60;
const REQUESTS = 300;
const AT_ONCE = 32;

let fleet: TestFleet;
let asked: Asking[];
let records: ShownRecord[];
let truth: Map<string, EngineTruth>;

beforeAll(async () => {
  fleet = await startTestFleet({
    regions: { 'gcp-us-east4': 2, 'aws-us-west-2': 1 },
    agentless: 2,
    config: impatient,
  });
  for (const { faults } of fleet.engines) faults.set({ ...NO_FAULTS, requests: FAULTS });
  const rng = seededRng(SEED);
  const mix = Array.from({ length: REQUESTS }, () => mixed(rng));
  asked = [];
  const worker = async (): Promise<void> => {
    for (let next = mix.shift(); next !== undefined; next = mix.shift()) asked.push(await run(fleet, next));
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

  test('what was recorded for the attempts that count is what their engines made', () => {
    const wrong = records.filter((record) => {
      const { prompt_tokens, cached_tokens, completion_tokens } = record.usage;
      return JSON.stringify({ prompt_tokens, cached_tokens, completion_tokens }) !== JSON.stringify(expectedCharge(record, truth));
    });
    expect(wrong.map((record) => ({ record, expected: expectedCharge(record, truth) }))).toEqual([]);
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
