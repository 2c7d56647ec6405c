import { describe, expect, test } from 'vitest';
import { isPreamble, readEngineEvent, type EngineEvent } from '../../src/openai/engine-event.ts';

const USAGE = '{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"prompt_tokens_details":null}';
const COUNTS = { promptTokens: 7, cachedTokens: 0, completionTokens: 3, reasoningTokens: 0 };
const CLIENT_USAGE =
  '{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":0},' +
  '"completion_tokens_details":{"reasoning_tokens":0},"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":7}';

const read = (json: string, usageAsked = false): EngineEvent | null => readEngineEvent(Buffer.from(json), usageAsked);
const shown = (json: string, usageAsked: boolean): string | undefined => read(json, usageAsked)?.json.toString();

describe('an event of an engine', () => {
  test.each([
    ['{"choices":[{}],"usage":null}', false, '{"choices":[{}]}'],
    ['{"choices":[{}],"usage":null}', true, '{"choices":[{}],"usage":null}'],
    ['{"choices":[{}]}', false, '{"choices":[{}]}'],
    ['{"choices":[{}]}', true, '{"choices":[{}],"usage":null}'],
    [`{"choices":[{}],"usage":${USAGE}}`, false, '{"choices":[{}]}'],
    [`{"choices":[{}],"usage":${USAGE}}`, true, '{"choices":[{}],"usage":null}'],
    [`{ "usage": ${USAGE}, "choices": [{"x":1.0}] }`, true, '{ "usage": null, "choices": [{"x":1.0}] }'],
    [`{"id":"a","choices":[],"usage":${USAGE}}`, true, `{"id":"a","choices":[],"usage":${CLIENT_USAGE}}`],
  ])('%s, usage asked %s, is shown as %s', (json, usageAsked, expected) => {
    expect(shown(json, usageAsked)).toBe(expected);
  });

  test('keeps its own bytes when nothing is to be changed', () => {
    const json = Buffer.from('{"choices":[{}]}');
    expect(readEngineEvent(json, false)?.json).toBe(json);
  });

  test('is content, the closing usage or an error', () => {
    expect(read(`{"choices":[{}],"usage":${USAGE}}`)).toMatchObject({ kind: 'content', usage: COUNTS });
    expect(read(`{"choices":[ ],"usage":${USAGE}}`)).toMatchObject({ kind: 'usage', usage: COUNTS });
    expect(read('{"choices":[],"usage":null}')).toMatchObject({ kind: 'content', usage: null });
    expect(read('{"error":{"message":"x"}}')).toMatchObject({ kind: 'error', usage: null });
  });

  test('tells that a choice ended by its finish reason, not by text that looks like one', () => {
    expect(read('{"choices":[{"finish_reason":"stop"}]}')?.finished).toBe(true);
    expect(read('{"choices":[{"finish_reason": "stop"}]}')?.finished).toBe(true);
    expect(read('{"choices":[{"finish_reason":null}]}')?.finished).toBe(false);
    expect(read(`{"choices":[{"delta":{"content":${JSON.stringify('"finish_reason":"stop"')}}}]}`)?.finished).toBe(false);
  });

  test('that is no object is none', () => {
    expect(read('[1]')).toBeNull();
    expect(read('hello')).toBeNull();
    expect(read('{"choices":[')).toBeNull();
  });
});

describe('what only opens an answer', () => {
  test.each([
    ['{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}', true],
    ['{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":null,"refusal":null}}]}', true],
    ['{"choices":[{"delta":{"content":"","tool_calls":[]}},{"text":""}]}', true],
    ['{"choices":[]}', true],
    ['{"choices":[{"delta":{"content":"a"}}]}', false],
    ['{"choices":[{"delta":{"reasoning_content":"a"}}]}', false],
    ['{"choices":[{"delta":{"reasoning":"a"}}]}', false],
    ['{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}', false],
    ['{"choices":[{"delta":{}},{"delta":{"content":"a"}}]}', false],
    ['{"choices":[{"text":"a"}]}', false],
    ['{"choices":[{"delta":{},"finish_reason":"stop"}]}', false],
  ])('%s: %s', (json, expected) => {
    expect(isPreamble(Buffer.from(json))).toBe(expected);
  });
});
