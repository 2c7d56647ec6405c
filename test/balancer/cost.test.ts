import { describe, expect, test } from 'vitest';
import { costTerms, totalMs, ttftMs, zeroTerms, type CostTerms } from '../../src/balancer/cost.ts';
import type { Replica } from '../../src/health/index.ts';
import { loadOf, readyReplica, reportingReplica } from '../support/replicas.ts';
import { RANK_OPTIONS } from './rank-options.ts';

const REQUEST = { promptTokens: 2_000, outputTokens: 300, othersWeight: 0 };

function terms(replica: Replica, cachedTokens = 0, now = 0, options = RANK_OPTIONS): CostTerms {
  const filled = zeroTerms();
  costTerms(filled, REQUEST, replica, cachedTokens, now, options);
  return filled;
}

describe('the predicted cost', () => {
  test('is distance, work ahead and own prefill, in milliseconds', () => {
    const one = reportingReplica('a', 30, 4_000);
    one.backlog.sent(1, 1_000, 0);
    const cost = terms(one);
    expect(cost).toMatchObject({ rttMs: 30, queueMs: 500, prefillMs: 200, othersMs: 0, decodeMs: 0, failureMs: 0, priceMs: 0 });
    expect(ttftMs(cost)).toBe(730);
    expect(totalMs(cost)).toBe(730 + cost.kvMs);
  });

  test('counts nothing for what is cached, and never less than one token', () => {
    expect(terms(reportingReplica('a', 0, 0), 1_500).prefillMs).toBe(50);
    expect(terms(reportingReplica('a', 0, 0), 2_000).prefillMs).toBe(0.1);
  });

  test('takes what is unknown as unknown, and never as zero; what we sent comes on top', () => {
    const silent = readyReplica('a');
    expect(terms(silent)).toMatchObject({ rttMs: 100, queueMs: 2_000 });
    silent.backlog.sent(1, 5_000, 0);
    expect(terms(silent).queueMs).toBe(2_500);
  });

  test('believes a load report only as long as it is fresh', () => {
    const one = reportingReplica('a', 0, 0);
    expect(terms(one, 0, RANK_OPTIONS.loadStaleMs).queueMs).toBe(0);
    expect(terms(one, 0, RANK_OPTIONS.loadStaleMs + 1).queueMs).toBe(2_000);
  });

  test('rises without bound as running requests fill the KV cache, and never becomes infinite', () => {
    const at = (kvTokensUsed: number): number => {
      const one = readyReplica('a');
      one.report(loadOf({ kvTokensUsed, kvTokens: 100_000 }), 0, 0);
      return terms(one).kvMs;
    };
    expect(at(48_000)).toBeCloseTo(RANK_OPTIONS.kvBarrierMs);
    expect(at(90_000)).toBeGreaterThan(8 * RANK_OPTIONS.kvBarrierMs);
    expect(at(1_000_000)).toBeLessThan(100 * RANK_OPTIONS.kvBarrierMs);
  });

  test('counts slow decoding by the expected length of the answer, once a batch is slower than the target', () => {
    const busy = readyReplica('a');
    busy.report(loadOf({ running: 99 }), 0, 0);
    // tpot(100) = 20 + 0.5 · 100 = 70 ms, 20 above the target.
    expect(terms(busy).decodeMs).toBeCloseTo(RANK_OPTIONS.decodeWeight * 300 * 20, 0);
  });

  test('counts the chance of a failure, which is forgotten, and the price of the region', () => {
    const one = reportingReplica('a', 0, 0);
    one.enter(0)?.end('failure', 0);
    expect(terms(one).failureMs).toBeCloseTo(0.1 * RANK_OPTIONS.retryCostMs);
    expect(terms(one, 0, 30_000).failureMs).toBeCloseTo(0.05 * RANK_OPTIONS.retryCostMs);
    expect(terms(one, 0, 0, { ...RANK_OPTIONS, regionPriceMs: new Map([['here', 7]]) }).priceMs).toBe(7);
  });
});
