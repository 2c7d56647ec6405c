import { describe, expect, test } from 'vitest';
import { Router, type Placement, type RouterOptions } from '../../src/balancer/index.ts';
import { seededRng } from '../../src/core/index.ts';
import { loadOf, reportingReplica } from '../support/replicas.ts';
import { RANK_OPTIONS } from './rank-options.ts';

const CHAIN = Uint32Array.from({ length: 40 }, (_, i) => i * 7 + 1);

function router(more: Partial<RouterOptions> = {}): Router {
  return new Router({ ...RANK_OPTIONS, regionPriceMs: {}, ...more, prefixBlocksMax: 1_000, sessionsMax: 10 }, seededRng(1));
}

function placement(more: Partial<Placement> = {}): Placement {
  return { model: 'm', promptTokens: 2_000, outputTokens: 100, chain: CHAIN, tokensPerBlock: 100, session: null, ...more };
}

describe('the router', () => {
  test('sends a prompt to the replica whose mirror holds most of it, and counts on what it holds', () => {
    const replicas = [reportingReplica('a', 1, 0), reportingReplica('b', 1, 0)];
    const one = router();
    one.prefixes.stored('b', CHAIN.subarray(0, 30));
    const [first, second] = one.route(placement(), replicas, 0).candidates;
    expect(first).toMatchObject({ mirroredTokens: 1_500, cachedTokens: 1_500, ttftMs: 51 });
    expect(first?.replica.identity.id).toBe('b');
    expect(second).toMatchObject({ mirroredTokens: 0, ttftMs: 201 });
    one.prefixes.clear('b');
    expect(one.route(placement(), replicas, 0).candidates.every(({ mirroredTokens }) => mirroredTokens === 0)).toBe(true);
  });

  test('counts on what it has sent somewhere before any report of it', () => {
    const replicas = [reportingReplica('a', 1, 0), reportingReplica('b', 1, 0)];
    const one = router();
    const [first] = one.route(placement(), replicas, 0).candidates;
    if (first === undefined) throw new Error('there must be one');
    one.sent(placement(), first, 1, 0).began(300, true);
    expect(one.route(placement(), replicas, 300).candidates[0]).toMatchObject({ mirroredTokens: 2_000, replica: first.replica });
  });

  test('lets what is cached count for more, the longer requests usually wait', () => {
    const holder = reportingReplica('holder', 0, 6_000);
    const idle = reportingReplica('idle', 0, 1_000);
    const one = router({ othersWeight: 1 });
    one.prefixes.stored('holder', CHAIN.subarray(0, 8));
    const first = (): string | undefined => one.route(placement(), [holder, idle], 0).candidates[0]?.replica.identity.id;
    // Waiting 500 ms longer for 400 tokens that are cached is worth it only for the others' sake.
    expect(first()).toBe('idle');
    const busy = [reportingReplica('x', 0, 50_000), reportingReplica('y', 0, 50_000)];
    for (let n = 0; n < 100; n += 1) one.route(placement({ chain: new Uint32Array(0) }), busy, 0);
    expect(first()).toBe('holder');
  });

  test('keeps a session where it was sent, and forgets it with its replica', () => {
    const replicas = [reportingReplica('a', 1, 0), reportingReplica('b', 20, 0)];
    const one = router();
    const asked = placement({ session: 's', chain: new Uint32Array(0) });
    const [, far] = one.route(asked, replicas, 0).candidates;
    if (far === undefined) throw new Error('there must be two');
    one.sent(asked, far, 1, 0).ended(null);
    expect(one.route(asked, replicas, 0)).toMatchObject({ chosenBy: 'session' });
    expect(one.route(placement({ session: 'other', chain: new Uint32Array(0) }), replicas, 0)).toMatchObject({ chosenBy: 'cost' });
    expect(one.route(asked, replicas.slice(0, 1), 0)).toMatchObject({ chosenBy: 'cost' });
  });

  test('knows what it has sent as long as it waits, and only the part that is not cached', () => {
    const [replica] = [reportingReplica('a', 0, 0)];
    const one = router();
    one.prefixes.stored('a', CHAIN.subarray(0, 30));
    const [candidate] = one.route(placement(), [replica], 0).candidates;
    if (candidate === undefined) throw new Error('there must be one');
    const attempt = one.sent(placement(), candidate, 1, 0);
    expect(one.route(placement(), [replica], 0).candidates[0]?.terms.queueMs).toBe(50);
    attempt.began(50, true);
    expect(one.route(placement(), [replica], 50).candidates[0]?.terms.queueMs).toBe(0);
    attempt.ended({ promptTokens: 2_000, cachedTokens: 1_500 });
  });

  test('takes a cache that is nearly full for a wait', () => {
    const replica = reportingReplica('a', 0, 0);
    replica.report(loadOf({ kvTokensUsed: 480_000, kvTokens: 500_000 }), 0, 0);
    expect(router().route(placement(), [replica], 0).waitMs).toBeGreaterThan(500);
  });

  test('an attempt that ends without a first token leaves nothing behind', () => {
    const replica = reportingReplica('a', 0, 0);
    const one = router();
    const [candidate] = one.route(placement(), [replica], 0).candidates;
    if (candidate === undefined) throw new Error('there must be one');
    const attempt = one.sent(placement(), candidate, 1, 0);
    attempt.ended(null);
    attempt.ended(null);
    expect(replica.backlog.sentSinceTokens).toBe(0);
    expect(one.route(placement(), [replica], 0).candidates[0]?.terms.queueMs).toBe(0);
  });

  test('learns how fast a replica prefills from its first tokens, and how far to trust its mirror from what was cached', () => {
    const replica = reportingReplica('a', 0, 0);
    const one = router();
    one.prefixes.stored('a', CHAIN.subarray(0, 20));
    for (let n = 1; n <= 300; n += 1) {
      const now = n * 1_000;
      replica.report(loadOf(), n - 1, now);
      // Twice as fast as was assumed, and with half of what the mirror says.
      const promptTokens = 2_000 + (n % 7) * 500;
      const asked = placement({ promptTokens, chain: CHAIN.subarray(0, 20) });
      const [candidate] = one.route(asked, [replica], now).candidates;
      if (candidate === undefined) throw new Error('there must be one');
      const attempt = one.sent(asked, candidate, n, now);
      attempt.began(now + (promptTokens - 500) / 20, true);
      attempt.ended({ promptTokens, cachedTokens: 500 });
    }
    expect(Math.abs(replica.pace.prefillTokensPerMs / 20 - 1)).toBeLessThan(0.1);
    expect(replica.trust.value).toBeCloseTo(0.5, 1);
  });
});
