import type { KvLease } from './kv-cache.ts';

/** What the engine is asked to do, in counts: the model needs no text. */
export interface EngineJob {
  /** Unique; `abort` matches it by prefix. */
  readonly rid: string;
  /** At least 1. */
  readonly promptTokens: number;
  /** Keys of the prompt's whole pages, chained, the cache salt included (`pageKeys`); empty: nothing is shared. */
  readonly pageKeys: readonly number[];
  /** Tokens the answer will have; 0 for a job that only prefills. */
  readonly outputTokens: number;
  /** Keys of the whole pages of the first `tokens` tokens of prompt and answer; absent: answers are not cached. */
  readonly answerPageKeys?: ((tokens: number) => readonly number[]) | undefined;
  readonly priority?: number | undefined;
}

export type EngineOutcome = 'finished' | 'aborted';

export type RunState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'prefilling'; readonly prefilledTokens: number }
  | { readonly kind: 'decoding'; readonly beforeFirstStep: number }
  | { readonly kind: 'ended'; readonly outcome: EngineOutcome; readonly produced: number; readonly prefilledTokens: number };

/** One job inside the engine, from its submission to its end. */
export class EngineRun {
  readonly job: EngineJob;
  readonly submittedAtMs: number;
  state: RunState = { kind: 'waiting' };
  /** Prompt tokens found in the cache when the run was taken up; an estimate of it before that. */
  cachedTokens: number;
  lease: KvLease | null = null;

  constructor(job: EngineJob, submittedAtMs: number, expectedCachedTokens: number) {
    this.job = job;
    this.submittedAtMs = submittedAtMs;
    this.cachedTokens = expectedCachedTokens;
  }

  /** Prompt tokens that are in the KV cache, found there or prefilled. */
  get prefilledTokens(): number {
    switch (this.state.kind) {
      case 'waiting':
        return 0;
      case 'decoding':
        return this.job.promptTokens;
      default:
        return this.state.prefilledTokens;
    }
  }
}

export type Submission =
  | { readonly kind: 'accepted'; readonly run: EngineRun }
  | { readonly kind: 'queue_full' }
  | { readonly kind: 'too_long'; readonly limitTokens: number };
