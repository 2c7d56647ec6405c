import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RateLimiter, type LimitedScope, type RatePermit } from '../../src/admission/index.ts';
import { NO_LIMITS, type RateLimits } from '../../src/core/index.ts';

const MINUTE_MS = 60_000;

function scope(id: string, limits: Partial<RateLimits>): LimitedScope {
  return { kind: 'key', id, limits: { ...NO_LIMITS, ...limits } };
}

function entered(limiter: RateLimiter, scopes: readonly LimitedScope[], tokens: number, now: number): RatePermit | null {
  const answer = limiter.enter(scopes, tokens, now);
  return answer.kind === 'entered' ? answer.permit : null;
}

interface Let {
  readonly atMs: number;
  readonly scopes: readonly LimitedScope[];
  readonly expected: number;
  readonly used: number;
}

describe('limits per minute', () => {
  test('in any minute no scope lets in more requests than its limit, nor more tokens than that and what was not expected', () => {
    const scopes = [scope('a', { requestsPerMinute: 7, tokensPerMinute: 500 }), scope('b', { requestsPerMinute: 10 }), scope('c', { tokensPerMinute: 900, concurrentRequests: 4 })];
    fc.assert(
      fc.property(
        fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 9_000 }), which: fc.subarray(scopes, { minLength: 1 }), expected: fc.nat(200), used: fc.nat(250), lastsMs: fc.nat(70_000) }), { maxLength: 120 }),
        (list) => {
          const limiter = new RateLimiter(100);
          const all: Let[] = [];
          const open: { permit: RatePermit; endsAtMs: number; used: number; scopes: readonly LimitedScope[] }[] = [];
          let now = 0;
          for (const { afterMs, which, expected, used, lastsMs } of list) {
            now += afterMs;
            for (const one of open.filter(({ endsAtMs }) => endsAtMs <= now)) {
              one.permit.settle(one.used, now);
              one.permit.release(now);
              open.splice(open.indexOf(one), 1);
            }
            const permit = entered(limiter, which, expected, now);
            if (permit === null) continue;
            open.push({ permit, endsAtMs: now + lastsMs, used, scopes: which });
            all.push({ atMs: now, scopes: which, expected, used });
            for (const one of scopes) {
              const { requestsPerMinute, tokensPerMinute, concurrentRequests } = one.limits;
              const minute = all.filter(({ atMs, scopes: own }) => atMs > now - MINUTE_MS && own.includes(one));
              if (requestsPerMinute !== null) expect(minute.length).toBeLessThanOrEqual(requestsPerMinute);
              const surprise = minute.reduce((sum, { expected: e, used: u }) => sum + Math.max(0, u - e), 0);
              if (tokensPerMinute !== null) expect(minute.reduce((sum, { used: u }) => sum + u, 0)).toBeLessThanOrEqual(tokensPerMinute + surprise);
              if (concurrentRequests !== null) expect(open.filter(({ scopes: own }) => own.includes(one)).length).toBeLessThanOrEqual(concurrentRequests);
            }
          }
        },
      ),
    );
  });

  test('who comes back when told is let in, and a millisecond sooner is not', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 1, max: 60 })), { maxLength: 40 }), fc.integer({ min: 1, max: 100 }), (list, wanted) => {
        const limiter = new RateLimiter(10);
        const scopes = [scope('a', { tokensPerMinute: 100 })];
        let now = 0;
        for (const [afterMs, tokens] of list) {
          now += afterMs;
          entered(limiter, scopes, tokens, now)?.settle(tokens, now);
        }
        const answer = limiter.enter(scopes, wanted, now);
        if (answer.kind === 'entered') return;
        expect(entered(limiter, scopes, wanted, now + answer.retryAfterMs - 1)).toBeNull();
        expect(entered(limiter, scopes, wanted, now + answer.retryAfterMs)).not.toBeNull();
      }),
    );
  });

  test('what was expected and not used is there again, and what was used beyond is not', () => {
    const limiter = new RateLimiter(10);
    const scopes = [scope('a', { tokensPerMinute: 100 })];
    const first = entered(limiter, scopes, 100, 0);
    expect(entered(limiter, scopes, 1, 10)).toBeNull();
    first?.settle(30, 20);
    expect(first?.view.standing('tokens', 20)).toEqual({ max: 100, remaining: 70, resetMs: 60_980 });
    const second = entered(limiter, scopes, 70, 30);
    second?.settle(90, 40);
    expect(second?.view.standing('tokens', 40)?.remaining).toBe(0);
    expect(entered(limiter, scopes, 1, 50)).toBeNull();
    expect(entered(limiter, scopes, 100, 61_000)).not.toBeNull();
  });

  test('a request that is refused by one scope counts in none', () => {
    const limiter = new RateLimiter(10);
    const [wide, narrow] = [scope('wide', { requestsPerMinute: 2, concurrentRequests: 2 }), scope('narrow', { requestsPerMinute: 0 })];
    for (let i = 0; i < 5; i += 1) expect(limiter.enter([wide, narrow], 1, 0)).toMatchObject({ kind: 'refused', limit: 'requests', scope: { id: 'narrow' } });
    expect(entered(limiter, [wide], 1, 0)).not.toBeNull();
    expect(entered(limiter, [wide], 1, 0)).not.toBeNull();
    expect(entered(limiter, [wide], 1, 0)).toBeNull();
  });

  test('requests at once end when they are released, used up or not; one that was not settled used nothing', () => {
    const limiter = new RateLimiter(10);
    const scopes = [scope('a', { concurrentRequests: 1, tokensPerMinute: 50 })];
    const first = entered(limiter, scopes, 50, 0);
    expect(limiter.enter(scopes, 0, 0)).toMatchObject({ kind: 'refused', limit: 'concurrent', max: 1, used: 1 });
    first?.release(1);
    const second = entered(limiter, scopes, 50, 2);
    second?.settle(50, 3);
    second?.release(3);
    expect(limiter.enter(scopes, 1, 4)).toMatchObject({ kind: 'refused', limit: 'tokens' });
    expect(() => second?.release(5)).toThrow(/released twice/);
    expect(() => second?.settle(1, 5)).toThrow(/counted twice/);
  });

  test('a limit that is changed counts at once, with what was used before', () => {
    const limiter = new RateLimiter(10);
    for (let i = 0; i < 5; i += 1) entered(limiter, [scope('a', { requestsPerMinute: 100 })], 1, 0);
    expect(entered(limiter, [scope('a', { requestsPerMinute: 5 })], 1, 0)).toBeNull();
    expect(entered(limiter, [scope('a', { requestsPerMinute: 6 })], 1, 0)).not.toBeNull();
  });

  test('the tightest scope is the one that is shown', () => {
    const limiter = new RateLimiter(10);
    const permit = entered(limiter, [scope('a', { requestsPerMinute: 100 }), scope('b', { requestsPerMinute: 4 })], 1, 0);
    expect(permit?.view.standing('requests', 0)).toEqual({ max: 4, remaining: 3, resetMs: 61_000 });
    expect(permit?.view.standing('tokens', 0)).toBeNull();
  });
});
