import { LRUCache } from 'lru-cache';
import { MeridianError, MINUTE_MS, type RateLimits } from '../core/index.ts';
import { MinuteWindow } from './minute-window.ts';

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

interface ScopeState {
  readonly requests: MinuteWindow;
  readonly tokens: MinuteWindow;
  concurrent: number;
}

interface Watched {
  readonly scope: LimitedScope;
  readonly state: ScopeState;
}

interface Entered extends Watched {
  readonly place: number;
}

const CONCURRENT_RETRY_MS = 1_000;

/**
 * Requests and tokens per minute, and requests at once, of scopes that a request belongs to together. A window slides: within any
 * minute no more requests enter than the limit, and no more tokens than the limit and what the requests under way used beyond
 * what was expected of them. All scopes are looked at before any counts.
 */
export class RateLimiter {
  readonly #states: LRUCache<string, ScopeState>;

  /** `scopesMax`: scopes whose use is remembered, the ones last used. */
  constructor(scopesMax: number) {
    this.#states = new LRUCache({ max: scopesMax });
  }

  /** Scopes without a limit cost nothing. `tokens`: what the request is expected to use. */
  enter(scopes: readonly LimitedScope[], tokens: number, now: number): LimitAnswer {
    const limited = scopes.filter(({ limits }) => limits.requestsPerMinute !== null || limits.tokensPerMinute !== null || limits.concurrentRequests !== null);
    const states = limited.map((scope) => ({ scope, state: this.#stateOf(scope.id) }));
    for (const { scope, state } of states) {
      const refusal = refusalOf(scope, state, tokens, now);
      if (refusal !== null) return { kind: 'refused', scope, ...refusal, view: new LimitView(states) };
    }
    const entered = states.map(({ scope, state }): Entered => {
      state.concurrent += 1;
      state.requests.add(1, now);
      return { scope, state, place: state.tokens.add(tokens, now) };
    });
    return { kind: 'entered', permit: new RatePermit(entered, tokens) };
  }

  #stateOf(id: string): ScopeState {
    const known = this.#states.get(id);
    if (known !== undefined) return known;
    const made = { requests: new MinuteWindow(), tokens: new MinuteWindow(), concurrent: 0 };
    this.#states.set(id, made);
    return made;
  }
}

/** The limits of a request, and how they stand. */
export class LimitView {
  readonly #watched: readonly Watched[];

  constructor(watched: readonly Watched[]) {
    this.#watched = watched;
  }

  /** How the tightest limit stands; null without one. */
  standing(limit: 'requests' | 'tokens', now: number): LimitStanding | null {
    let tightest: LimitStanding | null = null;
    for (const { scope, state } of this.#watched) {
      const max = limit === 'requests' ? scope.limits.requestsPerMinute : scope.limits.tokensPerMinute;
      if (max === null) continue;
      const window = state[limit];
      const remaining = Math.max(0, max - Math.ceil(window.used(now)));
      if (tightest === null || remaining * tightest.max < tightest.remaining * max) tightest = { max, remaining, resetMs: window.untilUsed(0, now) };
    }
    return tightest;
  }
}

/** A request that was let in. Its tokens are corrected once, and it leaves once. */
export class RatePermit {
  readonly view: LimitView;
  readonly #entered: readonly Entered[];
  readonly #expected: number;
  #isSettled = false;
  #isReleased = false;

  constructor(entered: readonly Entered[], expected: number) {
    this.view = new LimitView(entered);
    this.#entered = entered;
    this.#expected = expected;
  }

  /** Puts what was used in the place of what was expected. Throws when that was done before. */
  settle(used: number, now: number): void {
    if (this.#isSettled) throw new MeridianError('internal_error', { message: 'The tokens of a request were counted twice.' });
    this.#isSettled = true;
    for (const { state, place } of this.#entered) state.tokens.correct(place, used - this.#expected, now);
  }

  /** The request is over; one that was not settled used nothing. Throws when it was released before. */
  release(now: number): void {
    if (this.#isReleased) throw new MeridianError('internal_error', { message: 'A rate permit was released twice.' });
    this.#isReleased = true;
    if (!this.#isSettled) this.settle(0, now);
    for (const { state } of this.#entered) state.concurrent -= 1;
  }
}

function refusalOf(scope: LimitedScope, state: ScopeState, tokens: number, now: number) {
  const { requestsPerMinute, tokensPerMinute, concurrentRequests } = scope.limits;
  const refused = (limit: LimitName, max: number, used: number, retryAfterMs: number) => ({ limit, max, used, retryAfterMs });
  if (concurrentRequests !== null && state.concurrent >= concurrentRequests) return refused('concurrent', concurrentRequests, state.concurrent, CONCURRENT_RETRY_MS);
  const requests = state.requests.used(now);
  if (requestsPerMinute !== null && requests + 1 > requestsPerMinute) return refused('requests', requestsPerMinute, requests, untilFits(state.requests, requestsPerMinute - 1, now));
  const used = state.tokens.used(now);
  if (tokensPerMinute !== null && used + tokens > tokensPerMinute) return refused('tokens', tokensPerMinute, used, untilFits(state.tokens, tokensPerMinute - tokens, now));
  return null;
}

/** What never fits is told to come back in a minute, when it will hear the same. */
function untilFits(window: MinuteWindow, room: number, now: number): number {
  return room < 0 ? MINUTE_MS : window.untilUsed(room, now);
}
