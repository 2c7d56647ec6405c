export interface EngineLoad {
  readonly runningRequests: number;
  readonly waitingRequests: number;
  /** Prompt tokens still to be prefilled: of waiting runs less what the cache held at submission, and of begun ones. */
  readonly waitingUncachedTokens: number;
  /** KV tokens of running requests; what is only cached counts as free, as in SGLang. */
  readonly usedTokens: number;
  /** `usedTokens` and the whole prompts that wait. */
  readonly totalTokens: number;
  /** KV tokens that cannot be had: pages of running requests, room for their answers included. */
  readonly reservedTokens: number;
  /** `reservedTokens` and the evictable prefix cache: never above `maxTokens`. */
  readonly cachedTokens: number;
  readonly maxTokens: number;
  readonly maxRunningRequests: number;
  /** Decoded tokens per second, smoothed over about a second. */
  readonly tokensPerSecond: number;
  /** Cached part of all prompt tokens since the start. */
  readonly cacheHitRate: number;
}

export interface EngineTotals {
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  finished: number;
  aborted: number;
}
