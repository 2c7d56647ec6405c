import { hasLimit, RateLimiter, type LimitAnswer, type LimitedScope, type Limiter, type LimitName, type LimitStanding, type LimitView, type RatePermit } from '../admission/index.ts';
import { ulid, type Clock, type Logger, type RateLimits } from '../core/index.ts';
import { AwayCounts } from './away-counts.ts';
import type { GuardedRedis } from './guarded-redis.ts';
import { scopeKeys, type ScopeKeys } from './limit-keys.ts';
import { CATCH_UP, CORRECT, ENTER, PRESENT } from './limit-scripts.ts';
import { runScript, type Script } from './script.ts';

export interface SharedLimiterOptions {
  readonly redis: GuardedRedis;
  readonly keyPrefix: string;
  /** Name of this gateway among the living. */
  readonly gateway: string;
  /** How long requests at once of a gateway count that is not heard of. */
  readonly leaseMs: number;
  /** Gateways that share the limits, as far as is known. */
  readonly gateways: () => number;
  /** Scopes whose use is remembered here, for when Redis is away. */
  readonly scopesMax: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const TICK_MS = 250;
const SECOND_MS = 1_000;
const TURNS_PER_MS = 1_000;

/**
 * Limits of several gateways, counted in Redis: exact however many there are, since one script looks at all scopes of a request and
 * counts. Every gateway also counts what it lets in itself. While Redis is away it judges by that, against its share of each limit; what it let in is
 * added when Redis is back. A request whose answer from Redis came too late may then count twice until its minute is over: more is never let in for it.
 */
export class SharedLimiter implements Limiter {
  readonly #options: SharedLimiterOptions;
  readonly #own: RateLimiter;
  /** Requests of this gateway under way, by the key that says so to others. */
  readonly #live = new Map<string, number>();
  readonly #stop: () => void;
  #away: AwayCounts;
  /** Redis's time less this clock's. */
  #offsetMs: number;
  #presentAtMs = -Infinity;
  #decidedAlone = 0;
  #turn: number;
  /** Something was let in without Redis, and is not added yet: until it is, Redis knows too little. */
  #isBehind = false;
  #isCatchingUp = false;

  constructor(options: SharedLimiterOptions) {
    this.#options = options;
    this.#own = new RateLimiter(options.scopesMax);
    this.#turn = options.clock.wallMs() * TURNS_PER_MS;
    this.#away = new AwayCounts(options.scopesMax);
    this.#offsetMs = options.clock.wallMs() - options.clock.now();
    this.#stop = options.clock.every(TICK_MS, () => void this.#tick());
    options.redis.onBack(() => void this.#tick());
  }

  /** Requests that were judged by this gateway's share, since Redis was away. */
  get decidedAlone(): number {
    return this.#decidedAlone;
  }

  enter(scopes: readonly LimitedScope[], tokens: number, now: number): LimitAnswer | Promise<LimitAnswer> {
    const limited = scopes.filter(hasLimit);
    if (limited.length === 0) return this.#own.enter([], tokens, now);
    const keys = scopeKeys(this.#options.keyPrefix, scopes).filter((_, i) => hasLimit(scopes[i] as LimitedScope));
    return this.#options.redis.isUp && !this.#isBehind ? this.#ask(limited, keys, Math.ceil(tokens)) : this.#alone(limited, keys, Math.ceil(tokens), now);
  }

  close(): void {
    this.#stop();
  }

  async #ask(scopes: readonly LimitedScope[], keys: readonly ScopeKeys[], tokens: number): Promise<LimitAnswer> {
    const { redis, gateway, leaseMs, clock } = this.#options;
    // Counted before it is asked, so that of several that ask at once none overlooks the others.
    const own = keys.map(({ live }) => this.#count(live, 1));
    const limits = scopes.flatMap(({ limits: { requestsPerMinute, tokensPerMinute, concurrentRequests } }, i) => [requestsPerMinute ?? -1, tokensPerMinute ?? -1, concurrentRequests ?? -1, own[i] ?? 0]);
    let answer: readonly (string | number)[];
    try {
      answer = (await redis.run((client) => runScript(client, ENTER, keys.flatMap(({ window, live }) => [window, live]), [gateway, leaseMs, tokens, this.#nextTurn(), ...limits]))) as readonly (string | number)[];
    } catch {
      for (const { live } of keys) this.#count(live, -1);
      return this.#alone(scopes, keys, tokens, clock.now());
    }
    const now = clock.now();
    this.#offsetMs = Number(answer[2]) - now;
    const view = new AnsweredView(scopes, answer, now);
    if (answer[0] === 1) return { kind: 'entered', permit: this.#permit(scopes, keys, tokens, Number(answer[1]), view, null) };
    for (const { live } of keys) this.#count(live, -1);
    return refusedBy(answer, scopes, view);
  }

  /** By this gateway's share, which is one request or token at the least. */
  #alone(scopes: readonly LimitedScope[], keys: readonly ScopeKeys[], tokens: number, now: number): LimitAnswer {
    this.#decidedAlone += 1;
    if (!this.#options.redis.isUp) this.#isBehind = true;
    const gateways = Math.max(1, this.#options.gateways());
    const shares = scopes.map((scope) => ({ ...scope, limits: shareOf(scope.limits, gateways) }));
    const answer = this.#own.enter(shares, tokens, now);
    if (answer.kind === 'refused') return { ...answer, scope: scopes.find(({ id }) => id === answer.scope.id) ?? answer.scope };
    for (const { live } of keys) this.#count(live, 1);
    const second = Math.floor((now + this.#offsetMs) / SECOND_MS);
    for (const { window } of keys) this.#away.add(window, second, 1, tokens);
    return { kind: 'entered', permit: new SharedPermit(answer.permit, answer.permit.view, this.#endsOf(keys, tokens, second, this.#away)) };
  }

  #permit(scopes: readonly LimitedScope[], keys: readonly ScopeKeys[], tokens: number, second: number, view: LimitView, away: AwayCounts | null): RatePermit {
    return new SharedPermit(this.#own.count(scopes, tokens, this.#options.clock.now()), view, this.#endsOf(keys, tokens, second, away));
  }

  #endsOf(keys: readonly ScopeKeys[], tokens: number, second: number, away: AwayCounts | null): PermitEnds {
    const windows = keys.map(({ window }) => window);
    return {
      settled: (used) => {
        const difference = Math.ceil(used) - tokens;
        if (difference === 0) return;
        // What is not in Redis yet is corrected before it gets there.
        if (away !== null && away === this.#away) for (const window of windows) away.add(window, second, 0, difference);
        else this.#send(CORRECT, windows, [second, difference]);
      },
      released: () => {
        const { gateway, leaseMs } = this.#options;
        const counts = keys.map(({ live }) => this.#count(live, -1));
        this.#send(PRESENT, keys.map(({ live }) => live), [gateway, leaseMs, this.#nextTurn(), ...counts]);
      },
    };
  }

  /** Nobody waits for it: requests at once are said again at the next beat, and tokens are forgotten after a minute. */
  #send(what: Script, keys: readonly string[], args: readonly (string | number)[]): void {
    const { redis } = this.#options;
    if (!redis.isUp) return;
    redis.run((client) => runScript(client, what, keys, args)).catch(() => {});
  }

  /** Grows over restarts too, as long as the clock does not go back by more than what was said meanwhile. */
  #nextTurn(): number {
    this.#turn += 1;
    return this.#turn;
  }

  #count(live: string, change: 1 | -1): number {
    const count = (this.#live.get(live) ?? 0) + change;
    if (count === 0) this.#live.delete(live);
    else this.#live.set(live, count);
    return count;
  }

  async #tick(): Promise<void> {
    const { redis, leaseMs, clock } = this.#options;
    if (!redis.isUp) return;
    if (!this.#isCatchingUp) await this.#catchUp();
    if (clock.now() - this.#presentAtMs < leaseMs / 3) return;
    this.#presentAtMs = clock.now();
    const { gateway } = this.#options;
    for (const [live, count] of this.#live) this.#send(PRESENT, [live], [gateway, leaseMs, this.#nextTurn(), count]);
  }

  /** What is let in meanwhile is added at the next beat, when Redis is asked again already. */
  async #catchUp(): Promise<void> {
    this.#isCatchingUp = true;
    const counts = this.#away;
    this.#away = new AwayCounts(this.#options.scopesMax);
    let isAdded = true;
    for (const [window, seconds] of counts.take()) isAdded = (await this.#addAway(window, seconds)) && isAdded;
    if (isAdded) this.#isBehind = false;
    this.#isCatchingUp = false;
  }

  async #addAway(window: string, seconds: ReadonlyMap<number, { readonly requests: number; readonly tokens: number }>): Promise<boolean> {
    const { redis, gateway, clock, log } = this.#options;
    // One that was not answered is done once, though it is asked for again.
    const name = ulid(clock.wallMs());
    const args = [...seconds].flatMap(([second, { requests, tokens }]) => [second, requests, tokens]);
    const add = (): Promise<unknown> => redis.run((client) => runScript(client, CATCH_UP, [window], [gateway, name, ...args]));
    try {
      await add().catch(add);
      return true;
    } catch (error) {
      log.warn({ error: String(error) }, 'what was let in without Redis could not be added; it is tried again');
      for (const [second, { requests, tokens }] of seconds) this.#away.add(window, second, requests, tokens);
      return false;
    }
  }
}

interface PermitEnds {
  readonly settled: (used: number) => void;
  readonly released: () => void;
}

/** The permit of this gateway's own count, which knows whether it has ended; others are told. */
class SharedPermit implements RatePermit {
  readonly view: LimitView;
  readonly #own: RatePermit;
  readonly #ends: PermitEnds;
  #isSettled = false;

  constructor(own: RatePermit, view: LimitView, ends: PermitEnds) {
    this.#own = own;
    this.view = view;
    this.#ends = ends;
  }

  settle(used: number, now: number): void {
    this.#own.settle(used, now);
    this.#isSettled = true;
    this.#ends.settled(used);
  }

  release(now: number): void {
    if (!this.#isSettled) this.#ends.settled(0);
    this.#own.release(now);
    this.#ends.released();
  }
}

const HEAD = 3;
const PER_SCOPE = 3;

/** How the limits stood when Redis answered. */
class AnsweredView implements LimitView {
  readonly #scopes: readonly LimitedScope[];
  readonly #answer: readonly (string | number)[];
  readonly #atMs: number;

  constructor(scopes: readonly LimitedScope[], answer: readonly (string | number)[], atMs: number) {
    this.#scopes = scopes;
    this.#answer = answer;
    this.#atMs = atMs;
  }

  standing(limit: 'requests' | 'tokens', now: number): LimitStanding | null {
    let tightest: LimitStanding | null = null;
    for (const [i, { limits }] of this.#scopes.entries()) {
      const max = limit === 'requests' ? limits.requestsPerMinute : limits.tokensPerMinute;
      if (max === null) continue;
      const at = HEAD + PER_SCOPE * i;
      const used = Number(this.#answer[at + (limit === 'requests' ? 0 : 1)]);
      const remaining = Math.max(0, max - used);
      const resetMs = used === 0 ? 0 : Math.max(0, Number(this.#answer[at + 2]) - (now - this.#atMs));
      if (tightest === null || remaining * tightest.max < tightest.remaining * max) tightest = { max, remaining, resetMs };
    }
    return tightest;
  }
}

function refusedBy(answer: readonly (string | number)[], scopes: readonly LimitedScope[], view: LimitView): LimitAnswer {
  const [which, limit, used, retryAfterMs] = answer.slice(HEAD + PER_SCOPE * scopes.length);
  const scope = scopes[Number(which) - 1] as LimitedScope;
  const { requestsPerMinute, tokensPerMinute, concurrentRequests } = scope.limits;
  const max = { requests: requestsPerMinute, tokens: tokensPerMinute, concurrent: concurrentRequests }[limit as LimitName] ?? 0;
  return { kind: 'refused', scope, limit: limit as LimitName, max, used: Number(used), retryAfterMs: Number(retryAfterMs), view };
}

function shareOf({ requestsPerMinute, tokensPerMinute, concurrentRequests }: RateLimits, gateways: number): RateLimits {
  const share = (limit: number | null): number | null => (limit === null ? null : Math.max(1, Math.floor(limit / gateways)));
  return { requestsPerMinute: share(requestsPerMinute), tokensPerMinute: share(tokensPerMinute), concurrentRequests: share(concurrentRequests) };
}
