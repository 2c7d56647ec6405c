import type { Usage } from '../openai/index.ts';

/** `a` and, `times` times, `b`: 1 adds it, -1 takes it away. */
export function addUsage(a: Usage, b: Usage, times = 1): Usage {
  return {
    promptTokens: a.promptTokens + times * b.promptTokens,
    cachedTokens: a.cachedTokens + times * b.cachedTokens,
    completionTokens: a.completionTokens + times * b.completionTokens,
    reasoningTokens: a.reasoningTokens + times * b.reasoningTokens,
  };
}
