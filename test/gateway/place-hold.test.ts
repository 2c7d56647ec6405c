import { expect, test } from 'vitest';
import type { ApiKeyRecord } from '../../src/accounts/index.ts';
import { TokenRatio } from '../../src/balancer/index.ts';
import { LocalSpending, type RequestPrice } from '../../src/billing/index.ts';
import type { FemtoUsd } from '../../src/core/index.ts';
import type { Endpoint } from '../../src/gateway/context.ts';
import type { GatewayDeps } from '../../src/gateway/index.ts';
import { placeHold } from '../../src/gateway/place-hold.ts';
import { validate } from '../../src/gateway/stages/validate.ts';
import { ManualClock } from '../support/manual-clock.ts';

const CONTEXT = 4_000;
const OUTPUT = 500;
const TEMPLATE = 512;
/** A prompt token is one, an answer token a million: what is held shows how many of each. */
const ANSWER = 1_000_000n;
const PRICE: RequestPrice = { row: 'price_1', tier: 'standard', window: null, input: 1, inputCached: 1, output: Number(ANSWER) };
const PLENTY = 10n ** 18n;

/** What is held for a body and for whom, and what goes to the engine. */
async function held(endpoint: Endpoint, wanted: object, available: bigint | null = PLENTY) {
  const key = { id: 'key_a', organization: 'org_a', project: 'proj_a', models: null, clampsOutput: false } as ApiKeyRecord;
  const prepaid = available === null ? [] : [{ organization: 'org_a', available: available as FemtoUsd }];
  const deps = {
    spending: new LocalSpending({ nowMs: 0, prepaid, budgets: [] }, () => {}),
    models: new Map([['m', { contextTokens: CONTEXT, outputTokensMax: OUTPUT, servedAs: null, isFree: false }]]),
    aliases: new Map(),
    tokenRatio: new TokenRatio(new Map()),
    cacheSalt: () => 'salt',
    options: { limits: { jsonDepthMax: 20 }, timeouts: { totalMs: 1_000 } },
    clock: new ManualClock(),
  } as unknown as GatewayDeps;
  const body = Buffer.from(JSON.stringify({ model: 'm', ...wanted }));
  const request = { id: 'req_1', endpoint, headers: {}, body, startedMs: 0, admittedAtMs: 0 };
  const { hold, ask } = await placeHold(validate(request, key, deps), key, request, PRICE, deps);
  return { prompt: hold.amount % ANSWER, answers: hold.amount / ANSWER, bytes: BigInt(body.length), sent: JSON.parse(ask.body.toString()) as Record<string, unknown> };
}

const chat = (content: unknown): object => ({ messages: [{ role: 'user', content }] });

test('a prompt is held for by its bytes, and by no more than the context', async () => {
  const short = await held('chat.completions', { ...chat('Hello'), max_tokens: 7, n: 3 });
  expect([short.prompt, short.answers]).toEqual([short.bytes + BigInt(TEMPLATE), 21n]);
  expect((await held('chat.completions', { ...chat('x'.repeat(CONTEXT)), max_tokens: 7 })).prompt).toBe(BigInt(CONTEXT));
});

test.each<[Endpoint, object]>([
  ['embeddings', { input: Array.from({ length: 3 }, () => 'x'.repeat(3_000)) }],
  ['completions', { prompt: Array.from({ length: 3 }, () => 'x'.repeat(3_000)), max_tokens: 1 }],
  ['completions', { prompt: Array.from({ length: 3 }, () => Array.from({ length: 1_500 }, () => 7)), max_tokens: 1 }],
])('each prompt of a list of %s may fill a context', async (endpoint, body) => {
  const { prompt, bytes } = await held(endpoint, body);
  expect(bytes).toBeGreaterThan(BigInt(CONTEXT));
  expect(prompt).toBe(bytes + BigInt(TEMPLATE));
});

test('a picture may be as many tokens as the context holds', async () => {
  const parts = [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }];
  expect((await held('chat.completions', { ...chat(parts), max_tokens: 1 })).prompt).toBe(BigInt(CONTEXT));
  expect((await held('chat.completions', { ...chat(parts.slice(0, 1)), max_tokens: 1 })).prompt).toBeLessThan(BigInt(CONTEXT));
});

test('an answer without a bound is held for to the bound that its engine is given', async () => {
  const open = await held('chat.completions', chat('Hello'));
  expect([open.answers, open.sent['max_tokens']]).toEqual([BigInt(OUTPUT), OUTPUT]);
  const text = await held('completions', { prompt: 'Once' });
  expect([text.answers, text.sent['max_tokens']]).toEqual([16n, 16]);
});

test('an answer whose bound might not fit beside its prompt has none, and is held for to the end of the context', async () => {
  const { answers, sent } = await held('chat.completions', chat('x'.repeat(CONTEXT - OUTPUT - TEMPLATE)));
  expect([answers, sent['max_tokens']]).toEqual([BigInt(CONTEXT), undefined]);
});

test('of two bounds the larger one is held for', async () => {
  expect((await held('chat.completions', { ...chat('Hello'), max_completion_tokens: 5, max_tokens: 9 })).answers).toBe(9n);
});

test('nothing is asked in another way for whom nothing bounds', async () => {
  const { answers, sent } = await held('chat.completions', chat('Hello'), null);
  expect([answers, sent['max_tokens']]).toEqual([BigInt(CONTEXT), undefined]);
});
