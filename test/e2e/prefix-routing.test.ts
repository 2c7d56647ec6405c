import { afterAll, beforeAll, expect, test } from 'vitest';
import { Asking } from '../support/asking.ts';
import { MODEL, startTestFleet, type TestFleet } from '../support/test-fleet.ts';
import { until } from '../support/until.ts';
import { recordOf } from '../support/usage-truth.ts';

interface Message {
  readonly role: string;
  readonly content: string;
}

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await startTestFleet({ regions: { 'gcp-us-east4': 3 }, agentless: 1 });
});
afterAll(() => fleet.close());

/** About `tokens` tokens of text that no other name begins with. */
function passage(name: string, words: number): string {
  return Array.from({ length: words }, (_, i) => `${name} ${i} over the hills`).join(', ');
}

async function ask(messages: readonly Message[]): Promise<{ readonly answer: string; readonly request: string }> {
  const body = { model: MODEL, stream: true, max_tokens: 150, ignore_eos: true, messages };
  const asking = await new Asking({ publicUrl: fleet.gateway.publicUrl, apiKey: fleet.apiKey }, body).over();
  await recordOf(fleet, asking.requestId);
  return { answer: asking.content, request: asking.requestId };
}

interface RoutedAttempt {
  readonly replica: string;
  readonly predicted_cached_tokens: number;
  readonly actual_cached_tokens: number;
  readonly actual_prompt_tokens: number;
  readonly candidates: readonly { readonly mirrored_tokens: number }[];
}

async function lastAttempt(request: string): Promise<RoutedAttempt> {
  const { json } = await fleet.admin('GET', `/admin/v1/requests/${request}/route`);
  const { attempts } = json as { attempts: RoutedAttempt[] };
  const last = attempts.at(-1);
  if (last === undefined) throw new Error('there must be an attempt');
  return last;
}

test('each turn of a conversation goes where the ones before are cached, answers included, and what is cached is known before', async () => {
  const first = passage('first', 200);
  let predicted = 0;
  let actual = 0;
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const messages: Message[] = [{ role: 'system', content: passage(name, 300) }];
    const replicas = new Set<string>();
    let before = 0;
    for (let turn = 0; turn < 4; turn += 1) {
      messages.push({ role: 'user', content: `${name} ${turn}: ${first.slice(0, 700)}` });
      const { answer, request } = await ask(messages);
      messages.push({ role: 'assistant', content: answer });
      const attempt = await lastAttempt(request);
      replicas.add(attempt.replica);
      predicted += attempt.predicted_cached_tokens;
      actual += attempt.actual_cached_tokens;
      // All of the turn before, and most of its answer, was cached.
      if (turn > 0) expect(attempt.actual_cached_tokens).toBeGreaterThan(before);
      before = attempt.actual_prompt_tokens;
      // The next turn may be asked once the gateway has heard of this one's answer.
      const blocks = fleet.gateway.fleet.get(attempt.replica);
      await until(() => blocks !== undefined && blocks.inFlight === 0, 'the attempt is over');
    }
    expect(replicas.size).toBe(1);
  }
  expect(actual).toBeGreaterThan(10_000);
  expect(Math.abs(predicted / actual - 1)).toBeLessThan(0.1);
});
