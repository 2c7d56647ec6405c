import type { RateLimits } from '../core/index.ts';

/** Something whose requests are limited together. */
export interface LimitedScope {
  readonly kind: 'key' | 'project' | 'project model' | 'organization';
  /** Unique among scopes of all kinds. */
  readonly id: string;
  readonly limits: RateLimits;
}

export type LimitName = 'requests' | 'tokens' | 'concurrent';

export type LimitAnswer =
  | { readonly kind: 'entered'; readonly permit: RatePermit }
  | { readonly kind: 'refused'; readonly scope: LimitedScope; readonly limit: LimitName; readonly max: number; readonly used: number; readonly retryAfterMs: number; readonly view: LimitView };

/** How a limit stands: the scope with the smallest share left. */
export interface LimitStanding {
  readonly max: number;
  /** 0 or more. */
  readonly remaining: number;
  /** Milliseconds until nothing of it is used. */
  readonly resetMs: number;
}

/** The limits of a request, and how they stand. */
export interface LimitView {
  /** How the tightest limit stands; null without one. */
  standing(limit: 'requests' | 'tokens', now: number): LimitStanding | null;
}

/** A request that was let in. */
export interface RatePermit {
  readonly view: LimitView;
  /** Puts what was used in the place of what was expected. Throws when that was done before. */
  settle(used: number, now: number): void;
  /** The request is over; one that was not settled used nothing. Throws when it was released before. */
  release(now: number): void;
}

/**
 * Requests and tokens per minute, and requests at once, of scopes that a request belongs to together. All scopes are looked at
 * before any counts.
 */
export interface Limiter {
  /** Scopes without a limit cost nothing. `tokens`: what the request is expected to use. A promise where others must be asked. */
  enter(scopes: readonly LimitedScope[], tokens: number, now: number): LimitAnswer | Promise<LimitAnswer>;
}

export function hasLimit({ limits }: LimitedScope): boolean {
  return limits.requestsPerMinute !== null || limits.tokensPerMinute !== null || limits.concurrentRequests !== null;
}
