import { expect, onTestFinished, test } from 'vitest';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';

/** An answer of several megabytes in one piece. */
const BODY = { model: MODEL, n: 4, logprobs: true, top_logprobs: 20, max_tokens: 6_000, ignore_eos: true, messages: [{ role: 'user', content: 'Hi' }] };

test('a drain waits for a client that is still taking an answer which has ended', async () => {
  const fleet = await startTestFleet({ regions: { 'gcp-us-east4': 1 }, engine: { timeScale: 100 } });
  onTestFinished(() => fleet.close());
  const asking = new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, BODY, { stopAfterBytes: 0 });
  await until(async () => {
    const { json } = await fleet.admin('GET', '/admin/v1/requests?limit=10');
    return (json['data'] as unknown[]).length === 1;
  }, 'the answer is made and counted');
  const gone = fleet.gateway.drain();
  await until(async () => (await new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, BODY).over()).status === 503, 'it drains');
  asking.readOn();
  await asking.over();
  expect(asking.isWhole).toBe(true);
  await gone;
});
