/** How much may be asked for; null: no bound. */
export interface RateLimits {
  readonly requestsPerMinute: number | null;
  /** Prompt and answer together. */
  readonly tokensPerMinute: number | null;
  /** Requests under way at once. */
  readonly concurrentRequests: number | null;
}

export const NO_LIMITS: RateLimits = { requestsPerMinute: null, tokensPerMinute: null, concurrentRequests: null };
