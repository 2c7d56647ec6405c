import { expect, test } from 'vitest';
import type { AttemptRecord } from '../../src/billing/index.ts';
import { chargedUsage } from '../../src/gateway/charged-usage.ts';
import { continuableBy } from '../../src/gateway/continuable.ts';

const usage = (completionTokens: number, promptTokens = 10) => ({ promptTokens, cachedTokens: 2, completionTokens, reasoningTokens: 0 });

function attempt(more: Partial<AttemptRecord>): AttemptRecord {
  return { id: 'b', outcome: 'completed', ttftMs: 1, usage: usage(5, 30), source: 'engine', ...more } as AttemptRecord;
}

test('an answer in two parts is charged one prompt and the tokens of both', () => {
  const continued = { attempt: 'a', usage: usage(20), source: 'node' } as const;
  expect(chargedUsage(attempt({}), continued)).toEqual({ usage: usage(25), source: 'engine', estimated: false, chargedAttempt: null });
  expect(chargedUsage(attempt({ outcome: 'failed', ttftMs: null }), continued), 'the second part never began').toEqual({ usage: usage(20), source: 'node', estimated: false, chargedAttempt: null });
  expect(chargedUsage(attempt({ id: 'a' }), continued), 'there was no second part').toEqual({ usage: usage(20), source: 'node', estimated: false, chargedAttempt: null });
  expect(chargedUsage(attempt({}), { ...continued, source: 'gateway' })).toMatchObject({ source: 'gateway', estimated: true });
  expect(chargedUsage(attempt({ source: 'gateway' }), continued)).toMatchObject({ source: 'gateway', estimated: true });
});

test.each([
  ['chat.completions', {}, 'text'],
  ['chat.completions', { n: 1, logprobs: false, tools: [{}], tool_choice: 'auto', response_format: { type: 'text' } }, 'text'],
  ['chat.completions', { stream: false }, 'nothing'],
  ['chat.completions', { n: 2 }, 'nothing'],
  ['chat.completions', { logprobs: true }, 'nothing'],
  ['chat.completions', { response_format: { type: 'json_object' } }, 'nothing'],
  ['chat.completions', { tool_choice: 'required' }, 'nothing'],
  ['chat.completions', { guided_regex: 'a+' }, 'nothing'],
  ['chat.completions', { messages: [{ role: 'assistant', content: 'x' }] }, 'nothing'],
  ['chat.completions', { messages: [{ role: 'assistant', content: 'x' }], continue_final_message: true }, 'text'],
  ['completions', { prompt: 'x' }, 'text'],
  ['completions', { prompt: [1, 2] }, 'tokens'],
  ['completions', { prompt: ['x', 'y'] }, 'nothing'],
  ['completions', { prompt: 'x', echo: true }, 'nothing'],
  ['completions', { prompt: 'x', logprobs: 0 }, 'nothing'],
  ['embeddings', {}, 'nothing'],
] as const)('a stream of %s with %j can go on elsewhere by: %s', (endpoint, more, by) => {
  expect(continuableBy(endpoint, { stream: true, messages: [{ role: 'user', content: 'x' }], ...more })).toBe(by);
});
