import { afterAll, beforeAll, expect, test } from 'vitest';
import { routeText, type ShownRoute } from '../../src/commands/route-text.ts';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { recordOf } from '../support/usage-truth.ts';
import { NO_FAULTS } from '../../src/sim/index.ts';

const BODY = { model: MODEL, stream: true, max_tokens: 20, messages: [{ role: 'user', content: 'Why did you go there?' }] };

let fleet: TestFleet;

beforeAll(async () => {
  // Two replicas of one region, before the one of another.
  fleet = await startTestFleet({
    config: (config) => ({ ...config, balancer: { ...config.balancer, regionPriceMs: { 'aws-us-west-2': 1e6 } } }),
  });
});
afterAll(() => fleet.close());

async function asked(): Promise<Asking> {
  const asking = await new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, BODY).over();
  await recordOf(fleet, asking.requestId);
  return asking;
}

async function routeOf(request: string): Promise<ShownRoute> {
  const { status, json } = await fleet.admin('GET', `/admin/v1/requests/${request}/route`);
  expect(status).toBe(200);
  return json as unknown as ShownRoute;
}

test('a route tells every candidate with its terms, and what was predicted beside what came', async () => {
  const asking = await asked();
  const route = await routeOf(asking.requestId);
  const [attempt] = route.attempts;
  if (attempt === undefined) throw new Error('there must be an attempt');
  expect(route.attempts.length).toBe(1);
  expect(attempt.outcome).toBe('completed');
  expect(attempt.replica).toBe(asking.headers['x-meridian-replica']);
  expect(new Set(attempt.candidates.map(({ replica }) => replica))).toEqual(new Set(fleet.gateway.fleet.all().map(({ identity }) => identity.id)));
  for (const { cost_ms: costMs, terms } of attempt.candidates) {
    expect(Object.values(terms).reduce((sum, term) => sum + term, 0)).toBeCloseTo(costMs, 1);
  }
  expect(attempt.predicted_ttft_ms).toBeGreaterThan(0);
  expect(attempt.actual_ttft_ms).toBeGreaterThan(0);
  expect(attempt.actual_cached_tokens).toBeGreaterThanOrEqual(0);
});

test('a retry is explained with its own candidates, without the node that failed', async () => {
  for (const engine of fleet.engines.slice(0, 2)) engine.faults.set({ ...NO_FAULTS, requests: [{ kind: 'error503', times: 1, probability: 1 }] });
  const route = await routeOf((await asked()).requestId);
  expect(route.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'completed']);
  const [first, second, third] = route.attempts.map(({ replica, candidates }) => ({ replica, among: candidates.map((one) => one.replica) }));
  expect(route.attempts[0]?.actual_ttft_ms).toBeNull();
  expect(second?.among).not.toContain(first?.replica);
  expect(third?.among).toEqual(['aws-us-west-2-3']);
  const text = routeText(route);
  expect(text).toContain('attempt 3 went to aws-us-west-2-3');
  expect(text.split('\n').filter((line) => line.includes('→')).length).toBe(3);
});

test('what is not remembered is not found', async () => {
  const { status, json } = await fleet.admin('GET', '/admin/v1/requests/req_unknown/route');
  expect(status).toBe(404);
  expect(json['error']).toMatchObject({ code: 'not_found', param: 'id' });
});
