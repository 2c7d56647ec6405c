import { describe, expect, test } from 'vitest';
import { resumedMembers } from '../../src/engine/resumed-body.ts';
import { continuationOf } from '../../src/engine/index.ts';

const CHAT = '/v1/chat/completions';
const RESUME = { text: ' two', reasoning: '', tokens: 3, ids: { prompt: [1, 2], delivered: [3, 4, 5] } };

function members(body: object, path: string, resume: typeof RESUME | (Omit<typeof RESUME, 'ids'> & { ids: null }), by: 'text' | 'tokens'): Record<string, unknown> {
  const found = resumedMembers(Buffer.from(JSON.stringify(body)), path, resume, by);
  return Object.fromEntries(Object.entries(found).map(([name, json]) => [name, JSON.parse(json) as unknown]));
}

describe('a request to go on with an answer', () => {
  const messages = [{ role: 'user', content: 'Count' }];

  test('gives the ids of prompt and answer where the engine takes them, and the text where it does not', () => {
    expect(members({ messages, max_tokens: 10 }, CHAT, RESUME, 'tokens')).toEqual({ max_tokens: 7, input_ids: [1, 2, 3, 4, 5] });
    const byText = { max_tokens: 7, messages: [...messages, { role: 'assistant', content: ' two' }], continue_final_message: true };
    expect(members({ messages, max_tokens: 10 }, CHAT, RESUME, 'text')).toEqual(byText);
    expect(members({ messages, max_tokens: 10 }, CHAT, { ...RESUME, ids: null }, 'tokens')).toEqual(byText);
  });

  test('counts what was delivered in every bound, and in that of a text completion without one', () => {
    expect(members({ messages, max_completion_tokens: 4, min_tokens: 2 }, CHAT, RESUME, 'tokens')).toMatchObject({ max_completion_tokens: 1, min_tokens: 0 });
    expect(members({ prompt: 'One,' }, '/v1/completions', RESUME, 'text')).toEqual({ prompt: 'One, two', max_tokens: 13 });
    expect(members({ prompt: [1, 2] }, '/v1/completions', RESUME, 'tokens')).toEqual({ prompt: [1, 2, 3, 4, 5], max_tokens: 13 });
  });

  test('writes reasoning as the model does, and ends it where text has begun', () => {
    const content = (resume: object): unknown => (members({ messages }, CHAT, { ...RESUME, ...resume, ids: null }, 'text')['messages'] as { content: string }[]).at(-1)?.content;
    expect(content({ reasoning: 'hm', text: '' })).toBe('hm');
    expect(content({ reasoning: 'hm', text: 'So' })).toBe('hm</think>So');
  });

  test('lets a message of the assistant that was open grow', () => {
    const open = [...messages, { role: 'assistant', content: 'One,', name: 'x' }];
    expect(members({ messages: open, continue_final_message: true }, CHAT, { ...RESUME, ids: null }, 'text')['messages']).toEqual([...messages, { role: 'assistant', content: 'One, two', name: 'x' }]);
  });
});

test('an engine goes on as its operator says, or else as its kind and its own word have it', () => {
  expect(continuationOf('auto', 'sglang', null)).toBe('text');
  expect(continuationOf('auto', 'sglang', { tellsTokenIds: true })).toBe('tokens');
  expect(continuationOf('auto', 'openai', null)).toBe('none');
  expect(continuationOf('text', 'openai', null)).toBe('text');
  expect(continuationOf('none', 'sglang', { tellsTokenIds: true })).toBe('none');
});
