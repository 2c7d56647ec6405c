import { describe, expect, test } from 'vitest';
import { takeTokenIds } from '../../src/openai/choice-tokens.ts';
import { TokenTally } from '../../src/openai/token-tally.ts';

const take = (json: string): ReturnType<typeof takeTokenIds> => takeTokenIds(Buffer.from(json));

describe('token ids in an event', () => {
  test('are taken out of the choice, and nothing else is touched', () => {
    const { json, ids, promptIds, hasText } = take('{"id":"a", "choices":[{"index":0,"delta":{"content":"}{"},"token_ids":[7, 8],"finish_reason":null}],"usage":null}');
    expect(json.toString()).toBe('{"id":"a", "choices":[{"index":0,"delta":{"content":"}{"},"finish_reason":null}],"usage":null}');
    expect({ ids, promptIds, hasText }).toEqual({ ids: [7, 8], promptIds: [], hasText: true });
  });

  test('of the prompt are found in the choice or beside it', () => {
    expect(take('{"choices":[{"delta":{"role":"assistant","content":""},"prompt_token_ids":[1,2]}]}')).toMatchObject({ promptIds: [1, 2], hasText: false });
    const beside = take('{"prompt_token_ids":[3],"choices":[{"text":"x"}]}');
    expect(beside).toMatchObject({ promptIds: [3], hasText: true });
    expect(beside.json.toString()).toBe('{"choices":[{"text":"x"}]}');
  });

  test.each([
    ['{"choices":[{"delta":{"reasoning_content":"a"}}]}', true],
    ['{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}', true],
    ['{"choices":[{"delta":{"content":null,"tool_calls":[]}}]}', false],
    ['{"choices":[{"delta":{}}]}', false],
    ['{"choices":[{"text":""}]}', false],
    ['{"choices":[]}', false],
    ['{"choices":[{"delta":{"content":"a very long piece of text"}}]}', true],
  ])('%s adds something to the answer: %s', (json, hasText) => {
    expect(take(json).hasText).toBe(hasText);
  });

  test('that are none, or of another kind, are no ids', () => {
    expect(take('{"choices":[{"text":"a","token_ids":null}]}').ids).toEqual([]);
    expect(take('{"choices":[{"text":"a","token_ids":[1,"2",-3,4.5,6]}]}').ids).toEqual([1, 6]);
  });
});

describe('a tally of tokens', () => {
  const counts = (completionTokens: number) => ({ promptTokens: 5, cachedTokens: 0, completionTokens, reasoningTokens: 0 });
  const event = (ids: number[], hasText: boolean) => ({ ids, promptIds: [], hasText });

  test('tells ids with the text that shows them, and the count at the end of that text', () => {
    const tally = new TokenTally();
    expect(tally.take()).toBeNull();
    tally.add({ ids: [1], promptIds: [9, 9], hasText: true }, counts(1), false);
    tally.add(event([2], false), counts(2), false);
    expect(tally.take()).toEqual({ usage: counts(1), ids: [1], promptIds: [9, 9] });
    tally.add(event([3], false), counts(3), false);
    expect(tally.take()).toEqual({ usage: counts(1), ids: [], promptIds: [] });
    tally.add(event([4], true), counts(4), false);
    expect(tally.take()).toEqual({ usage: counts(4), ids: [2, 3, 4], promptIds: [] });
  });

  test('tells what is left at the end of the answer', () => {
    const tally = new TokenTally();
    tally.add(event([1], false), counts(1), true);
    expect(tally.take()).toEqual({ usage: counts(1), ids: [1], promptIds: [] });
  });
});
