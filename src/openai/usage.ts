/** Exact token counts of one answer: `cached ≤ prompt`, `reasoning ≤ completion`. */
export interface Usage {
  readonly promptTokens: number;
  /** Prompt tokens found in the engine's KV cache. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** Part of the completion. */
  readonly reasoningTokens: number;
}

export const NO_USAGE: Usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 };

/** Of an answer in two parts: its prompt is that of the first, and what was written is the sum. */
export function addUsage(first: Usage, rest: Usage): Usage {
  return {
    promptTokens: first.promptTokens,
    cachedTokens: first.cachedTokens,
    completionTokens: first.completionTokens + rest.completionTokens,
    reasoningTokens: first.reasoningTokens + rest.reasoningTokens,
  };
}

/** Reads an engine's `usage` object; null unless it holds whole, non-negative counts. Null details count as zero. */
export function readUsage(value: unknown): Usage | null {
  if (!isObject(value)) return null;
  const promptTokens = count(value['prompt_tokens']);
  const completionTokens = count(value['completion_tokens'] ?? 0);
  if (promptTokens === null || completionTokens === null) return null;
  const promptDetails = isObject(value['prompt_tokens_details']) ? value['prompt_tokens_details'] : {};
  const outputDetails = isObject(value['completion_tokens_details']) ? value['completion_tokens_details'] : {};
  const cached = count(promptDetails['cached_tokens'] ?? value['prompt_cache_hit_tokens'] ?? 0) ?? 0;
  const reasoning = count(outputDetails['reasoning_tokens'] ?? value['reasoning_tokens'] ?? 0) ?? 0;
  return {
    promptTokens,
    cachedTokens: Math.min(cached, promptTokens),
    completionTokens,
    reasoningTokens: Math.min(reasoning, completionTokens),
  };
}

/** The `usage` object clients see: OpenAI's fields, and DeepSeek's cache counts at top level. */
export function usageJson(usage: Usage): string {
  return (
    `{"prompt_tokens":${usage.promptTokens},"completion_tokens":${usage.completionTokens},` +
    `"total_tokens":${usage.promptTokens + usage.completionTokens},` +
    `"prompt_tokens_details":{"cached_tokens":${usage.cachedTokens}},` +
    `"completion_tokens_details":{"reasoning_tokens":${usage.reasoningTokens}},` +
    `"prompt_cache_hit_tokens":${usage.cachedTokens},` +
    `"prompt_cache_miss_tokens":${usage.promptTokens - usage.cachedTokens}}`
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
