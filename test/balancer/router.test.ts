import { describe, expect, test } from 'vitest';
import { Router, type Placement } from '../../src/balancer/index.ts';
import { seededRng } from '../../src/core/index.ts';
import { loadOf, reportingReplica } from '../support/replicas.ts';
import { RANK_OPTIONS } from './rank-options.ts';

const CHAIN = Uint32Array.from({ length: 40 }, (_, i) => i * 7 + 1);

function router(): Router {
  return new Router({ ...RANK_OPTIONS, prefixBlocksMax: 1_000, sessionsMax: 10 }, seededRng(1));
}

function placement(more: Partial<Placement> = {}): Placement {
  return { promptTokens: 2_000, outputTokens: 100, chain: CHAIN, tokensPerBlock: 100, session: null, ...more };
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

  test('keeps a session where it was sent, and forgets it with its replica', () => {
    const replicas = [reportingReplica('a', 1, 0), reportingReplica('b', 20, 0)];
    const one = router();
    const asked = placement({ session: 's' });
    const [, far] = one.route(asked, replicas, 0).candidates;
    if (far === undefined) throw new Error('there must be two');
    one.sent(asked, far, 1, 0).ended(null);
    expect(one.route(asked, replicas, 0)).toMatchObject({ chosenBy: 'session' });
    expect(one.route(placement({ session: 'other' }), replicas, 0)).toMatchObject({ chosenBy: 'cost' });
    expect(one.route(asked, replicas.slice(0, 1), 0)).toMatchObject({ chosenBy: 'cost' });
  });

  test('knows what it has sent as long as it waits, and only the part that is not cached', () => {
    const [replica] = [reportingReplica('a', 0, 0)];
    const one = router();
    one.prefixes.stored('a', CHAIN.subarray(0, 30));
    const [candidate] = one.route(placement(), [replica], 0).candidates;
    if (candidate === undefined) throw new Error('there must be one');
    const attempt = one.sent(placement(), candidate, 1, 0);
    expect(one.route(placement(), [replica], 0).waitMs).toBe(50);
    attempt.began(50, true);
    expect(one.route(placement(), [replica], 50).waitMs).toBe(0);
    attempt.ended({ promptTokens: 2_000, cachedTokens: 1_500 });
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
    expect(one.route(placement(), [replica], 0).waitMs).toBe(0);
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
      const [candidate] = one.route(placement({ promptTokens }), [replica], now).candidates;
      if (candidate === undefined) throw new Error('there must be one');
      const attempt = one.sent(placement({ promptTokens }), candidate, n, now);
      attempt.began(now + (promptTokens - 500) / 20, true);
      attempt.ended({ promptTokens, cachedTokens: 500 });
    }
    expect(Math.abs(replica.pace.prefillTokensPerMs / 20 - 1)).toBeLessThan(0.1);
    expect(replica.trust.value).toBeCloseTo(0.5, 1);
  });
});
