import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readUsage, usageJson } from '../../src/openai/index.ts';

const counts = fc.nat({ max: 1_000_000 });
const usages = fc.tuple(counts, counts, counts, counts).map(([a, b, c, d]) => ({
  promptTokens: Math.max(a, b),
  cachedTokens: Math.min(a, b),
  completionTokens: Math.max(c, d),
  reasoningTokens: Math.min(c, d),
}));

describe('usage', () => {
  test('is read back exactly from what clients see, where parts add up to their whole', () => {
    fc.assert(
      fc.property(usages, (usage) => {
        const json: unknown = JSON.parse(usageJson(usage));
        expect(readUsage(json)).toEqual(usage);
        expect(json).toMatchObject({
          total_tokens: usage.promptTokens + usage.completionTokens,
          prompt_cache_hit_tokens: usage.cachedTokens,
          prompt_cache_miss_tokens: usage.promptTokens - usage.cachedTokens,
        });
      }),
    );
  });

  test.each([
    ['OpenAI', { prompt_tokens: 9, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 4 }, completion_tokens_details: { reasoning_tokens: 2 } }],
    ['SGLang', { prompt_tokens: 9, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 4 }, reasoning_tokens: 2 }],
    ['DeepSeek', { prompt_tokens: 9, completion_tokens: 5, prompt_cache_hit_tokens: 4, completion_tokens_details: { reasoning_tokens: 2 } }],
  ])('is read as %s spells it', (_, value) => {
    expect(readUsage(value)).toEqual({ promptTokens: 9, cachedTokens: 4, completionTokens: 5, reasoningTokens: 2 });
  });

  test('without details has none: null, absent and zero are the same', () => {
    const bare = { promptTokens: 9, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 };
    expect(readUsage({ prompt_tokens: 9 })).toEqual(bare);
    expect(readUsage({ prompt_tokens: 9, completion_tokens: null, prompt_tokens_details: null, reasoning_tokens: null })).toEqual(bare);
    expect(readUsage({ prompt_tokens: 9, prompt_tokens_details: { cached_tokens: null } })).toEqual(bare);
  });

  test('never has a part larger than its whole', () => {
    const value = { prompt_tokens: 3, completion_tokens: 2, prompt_cache_hit_tokens: 9, reasoning_tokens: 9 };
    expect(readUsage(value)).toEqual({ promptTokens: 3, cachedTokens: 3, completionTokens: 2, reasoningTokens: 2 });
  });

  test.each([undefined, null, 1, 'x', [], {}, { prompt_tokens: -1 }, { prompt_tokens: 1.5 }, { prompt_tokens: '1' }, { prompt_tokens: 2 ** 53 }, { prompt_tokens: 1, completion_tokens: -1 }])(
    'is not made up from %j',
    (value) => expect(readUsage(value)).toBeNull(),
  );
});
