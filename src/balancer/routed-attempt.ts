import type { Replica } from '../health/index.ts';
import type { RankedRequest } from './cost.ts';
import type { Candidate } from './rank.ts';

/** Exact prompt counts of an attempt, from its engine. */
interface PromptCounts {
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

/**
 * One attempt as the balancer follows it: its tokens wait at the replica until its first token, and what it then turns out
 * to have taken teaches the replica's pace and the trust in its mirror.
 */
export class RoutedAttempt {
  readonly candidate: Candidate<Replica>;
  readonly #mark: number;
  readonly #sentMs: number;
  /** Work that was ahead when it was sent. */
  readonly #aheadTokens: number;
  /** What it takes of the KV cache. */
  readonly #kvTokens: number;
  #tookMs: number | null = null;
  #isOver = false;

  /** `mark`: number of the dispatch, rising with each to the same upstream. */
  constructor(candidate: Candidate<Replica>, mark: number, { promptTokens, outputTokens }: Pick<RankedRequest, 'promptTokens' | 'outputTokens'>, now: number) {
    const { replica } = candidate;
    this.candidate = candidate;
    this.#mark = mark;
    this.#sentMs = now;
    this.#aheadTokens = candidate.terms.queueMs * replica.pace.prefillTokensPerMs;
    this.#kvTokens = promptTokens + outputTokens;
    replica.heldKvTokens += this.#kvTokens;
    replica.backlog.sent(mark, Math.max(1, Math.round(promptTokens - candidate.cachedTokens)), now);
  }

  /** The prompt waits no more. `isFirstToken`: what came is the first token, and not a whole answer at once. */
  began(now: number, isFirstToken: boolean): void {
    const { replica } = this.candidate;
    replica.backlog.firstToken(this.#mark, now, replica.rttMs ?? 0);
    if (isFirstToken) this.#tookMs = now - this.#sentMs - this.candidate.terms.rttMs;
  }

  /** It is over; `counts` as its engine told them, null when nobody did. */
  ended(counts: PromptCounts | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { replica, mirroredTokens } = this.candidate;
    replica.heldKvTokens -= this.#kvTokens;
    replica.backlog.gone(this.#mark);
    if (counts === null) return;
    replica.trust.saw(mirroredTokens, counts.cachedTokens);
    if (this.#tookMs !== null) replica.pace.sawFirstToken(counts.promptTokens - counts.cachedTokens, this.#aheadTokens, this.#tookMs);
  }
}
