import type { AttemptTerms } from '../openai/index.ts';

/** What an engine says of itself. Null is unknown, never zero. */
export interface EngineInfo {
  readonly version: string | null;
  /** Different after each start of the engine, where the engine has anything of the kind. */
  readonly instance: string | null;
  readonly kvTokens: number | null;
  readonly runningMax: number | null;
  readonly contextTokens: number | null;
  /** Whether it tells token ids along a stream, so that an answer can go on from them. */
  readonly tellsTokenIds: boolean;
  /** Data-parallel ranks, each with a cache of its own. */
  readonly ranks: number;
}

/** How busy one rank of an engine is. Null is unknown, never zero. */
export interface EngineLoad {
  readonly rank: number;
  readonly running: number;
  readonly queued: number;
  /** Prompt tokens that wait for prefill and are not in the cache. */
  readonly queuedUncachedTokens: number | null;
  readonly kvTokensUsed: number | null;
  readonly kvTokens: number | null;
  readonly prefillTokensPerS: number | null;
  /** Of all running requests together, as measured: what speculative decoding gains is in it. */
  readonly decodeTokensPerS: number | null;
  /** Speculative decoding: tokens that one verification step yields, 1 when no draft is ever right; null without any. */
  readonly acceptLength: number | null;
}

/** One kind of engine: what it wants in a request, and how it is asked for its load, its identity and an abort. */
export interface EngineAdapter {
  readonly kind: string;
  /** Answers 2xx once the engine can serve. */
  readonly readinessPath: string;
  /** Its load is not asked for more often than this. */
  readonly loadMsMin: number;
  /**
   * The client's body for `path` with what this engine needs for counting, isolation, aborts, and for going on with an answer
   * or telling what that takes; `rank` is the rank it runs on.
   */
  prepareBody(path: string, body: Buffer, terms: AttemptTerms, rank: number): Buffer;
  /** Throws when the engine does not answer. */
  readInfo(): Promise<EngineInfo>;
  /** One entry per rank. Throws when the engine does not answer. */
  readLoad(): Promise<readonly EngineLoad[]>;
  /** Tells the engine to stop an attempt; its answer then ends by itself. Null: closing the connection is the way. */
  readonly abort: ((attemptId: string) => Promise<void>) | null;
  /** Empties the prefix cache. Rejects when the engine will not, as while requests run. Null: it has no way. */
  readonly flush: (() => Promise<void>) | null;
}

/** Attempts in the engine by rank, as the daemon itself counts them. */
export type InFlightCount = (rank: number) => number;
