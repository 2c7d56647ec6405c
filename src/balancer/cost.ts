/** What the predicted cost of one replica reads. Durations in milliseconds. */
export interface ReplicaSnapshot {
  readonly id: string;
  readonly region: string;
  /** Null before the first measurement. */
  readonly rttMs: number | null;
  /** Uncached prompt tokens waiting at the replica, by its newest report; null when unknown. */
  readonly queuedUncachedTokens: number | null;
  /** Prompt tokens we sent that the report cannot know of. */
  readonly sentSinceTokens: number;
  /** Learned prefill rate; null when unknown. */
  readonly prefillTokensPerS: number | null;
}

export interface CostOptions {
  /** Taken for replicas that have not told their prefill rate. */
  readonly prefillTokensPerS: number;
  /** Taken for replicas whose distance is not measured yet. */
  readonly rttMs: number;
  /** Taken for the queue of replicas without a load report: unknown is not empty. */
  readonly queuedTokens: number;
}

/** Predicted time to the first token, by its terms, in milliseconds. */
export interface CostTerms {
  readonly rttMs: number;
  /** Work ahead of us. */
  readonly queueMs: number;
  /** Our own prompt. */
  readonly prefillMs: number;
}

/**
 * Predicted cost of sending `promptTokens` to `replica`: `rtt + (queuedUncached + sentSince) / μ + promptTokens / μ`,
 * μ being the replica's prefill rate.
 */
export function costTerms(promptTokens: number, replica: ReplicaSnapshot, options: CostOptions): CostTerms {
  const tokensPerMs = (replica.prefillTokensPerS ?? options.prefillTokensPerS) / 1000;
  const aheadTokens = (replica.queuedUncachedTokens ?? options.queuedTokens) + replica.sentSinceTokens;
  return {
    rttMs: replica.rttMs ?? options.rttMs,
    queueMs: aheadTokens / tokensPerMs,
    prefillMs: promptTokens / tokensPerMs,
  };
}

export function totalMs(terms: CostTerms): number {
  return terms.rttMs + terms.queueMs + terms.prefillMs;
}
