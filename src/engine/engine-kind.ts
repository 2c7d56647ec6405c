/** Engines that are known by more than OpenAI's surface, and those of which only that is known. */
export const ENGINE_KINDS = ['sglang', 'vllm', 'trtllm', 'openai'] as const;

export type EngineKind = (typeof ENGINE_KINDS)[number];
