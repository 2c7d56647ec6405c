import { LRUCache } from 'lru-cache';
import { MeridianError, MINUTE_MS } from '../core/index.ts';
import { hasLimit, type LimitAnswer, type LimitedScope, type Limiter, type LimitName, type LimitStanding, type LimitView, type RatePermit } from './limiter.ts';
import { MinuteWindow } from './minute-window.ts';

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
 * Limits of the only gateway there is, in memory. A window slides: within any minute no more requests enter than the limit, and no
 * more tokens than the limit and what the requests under way used beyond what was expected of them.
 */
export class RateLimiter implements Limiter {
  readonly #states: LRUCache<string, ScopeState>;

  /** `scopesMax`: scopes whose use is remembered, the ones last used. */
  constructor(scopesMax: number) {
    this.#states = new LRUCache({ max: scopesMax });
  }

  enter(scopes: readonly LimitedScope[], tokens: number, now: number): LimitAnswer {
    const states = this.#watched(scopes);
    for (const { scope, state } of states) {
      const refusal = refusalOf(scope, state, tokens, now);
      if (refusal !== null) return { kind: 'refused', scope, ...refusal, view: new MemoryView(states) };
    }
    return { kind: 'entered', permit: count(states, tokens, now) };
  }

  /** Counts a request that was let in by others, whatever the limits say. */
  count(scopes: readonly LimitedScope[], tokens: number, now: number): RatePermit {
    return count(this.#watched(scopes), tokens, now);
  }

  #watched(scopes: readonly LimitedScope[]): Watched[] {
    return scopes.filter(hasLimit).map((scope) => ({ scope, state: this.#stateOf(scope.id) }));
  }

  #stateOf(id: string): ScopeState {
    const known = this.#states.get(id);
    if (known !== undefined) return known;
    const made = { requests: new MinuteWindow(), tokens: new MinuteWindow(), concurrent: 0 };
    this.#states.set(id, made);
    return made;
  }
}

function count(states: readonly Watched[], tokens: number, now: number): RatePermit {
  const entered = states.map(({ scope, state }): Entered => {
    state.concurrent += 1;
    state.requests.add(1, now);
    return { scope, state, place: state.tokens.add(tokens, now) };
  });
  return new MemoryPermit(entered, tokens);
}

class MemoryView implements LimitView {
  readonly #watched: readonly Watched[];

  constructor(watched: readonly Watched[]) {
    this.#watched = watched;
  }

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

/** Its tokens are corrected once, and it leaves once. */
export class MemoryPermit implements RatePermit {
  readonly view: LimitView;
  readonly #entered: readonly Entered[];
  readonly #expected: number;
  #isSettled = false;
  #isReleased = false;

  constructor(entered: readonly Entered[], expected: number) {
    this.view = new MemoryView(entered);
    this.#entered = entered;
    this.#expected = expected;
  }

  settle(used: number, now: number): void {
    if (this.#isSettled) throw new MeridianError('internal_error', { message: 'The tokens of a request were counted twice.' });
    this.#isSettled = true;
    for (const { state, place } of this.#entered) state.tokens.correct(place, used - this.#expected, now);
  }

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
