import { expect, test } from 'vitest';
import { Router, type Placement } from '../../src/balancer/index.ts';
import { seededRng } from '../../src/core/index.ts';
import type { Replica } from '../../src/health/index.ts';
import { loadOf, reportingReplica } from '../support/replicas.ts';
import { RANK_OPTIONS } from './rank-options.ts';

const REPLICAS = 8;
const PROMPT_TOKENS = 2_000;
const PREFILL_TOKENS_PER_MS = 10;
const PLACEMENT: Placement = {
  model: 'm',
  promptTokens: PROMPT_TOKENS,
  outputTokens: 100,
  chain: new Uint32Array(0),
  tokensPerBlock: 128,
  session: null,
};

interface SimulatedReplica {
  readonly replica: Replica;
  /** What waits for prefill, in order. */
  readonly queue: { readonly began: (now: number) => void; tokens: number }[];
  lastMark: number;
}

function router(): Router {
  return new Router({ ...RANK_OPTIONS, regionPriceMs: {}, prefixBlocksMax: 10, sessionsMax: 10 }, seededRng(1));
}

/**
 * Requests at nine tenths of what all replicas can prefill, over 20 s; each replica reports every `reportMs`, not all at
 * once. Returns the mean wait for prefill, in milliseconds.
 */
function meanWaitMs(reportMs: number, knowsSent: boolean): number {
  const rng = seededRng(1);
  const ours = router();
  const replicas = Array.from({ length: REPLICAS }, (_, i): SimulatedReplica => ({ replica: reportingReplica(`r${i}`, 0, 0), queue: [], lastMark: 0 }));
  const requestsPerMs = (0.9 * REPLICAS * PREFILL_TOKENS_PER_MS) / PROMPT_TOKENS;
  let waitedMs = 0;
  let requests = 0;
  for (let now = 0; now < 20_000; now += 1) {
    for (const [i, one] of replicas.entries()) {
      prefill(one, now);
      if ((now + (i * reportMs) / REPLICAS) % reportMs >= 1) continue;
      one.replica.report(loadOf({ queuedUncachedTokens: queuedTokens(one) }), one.lastMark, now);
    }
    if (rng.next() >= requestsPerMs) continue;
    const [candidate] = ours.route(PLACEMENT, replicas.map(({ replica }) => replica), now).candidates;
    const chosen = replicas.find(({ replica }) => replica === candidate?.replica);
    if (chosen === undefined || candidate === undefined) throw new Error('somebody must be chosen');
    waitedMs += queuedTokens(chosen) / PREFILL_TOKENS_PER_MS;
    requests += 1;
    chosen.lastMark += 1;
    const attempt = ours.sent(PLACEMENT, candidate, chosen.lastMark, now);
    if (!knowsSent) attempt.ended(null);
    chosen.queue.push({ tokens: PROMPT_TOKENS, began: (at) => attempt.began(at, false) });
  }
  return waitedMs / requests;
}

/** One millisecond of it; a prompt that is done makes its first token, which the gateway sees. */
function prefill({ queue }: SimulatedReplica, now: number): void {
  const [first] = queue;
  if (first === undefined) return;
  first.tokens -= PREFILL_TOKENS_PER_MS;
  if (first.tokens > 0) return;
  queue.shift();
  first.began(now);
}

function queuedTokens({ queue }: SimulatedReplica): number {
  return queue.reduce((sum, { tokens }) => sum + tokens, 0);
}

test('row 31: with reports two seconds old, requests wait hardly longer than with fresh ones, and would herd if it were not known what was sent since', () => {
  const fresh = meanWaitMs(1, true);
  const stale = meanWaitMs(2_000, true);
  const herding = meanWaitMs(2_000, false);
  expect(stale).toBeLessThan(fresh * 1.5);
  expect(herding).toBeGreaterThan(stale * 5);
});

test('a burst within one report is spread over all replicas', () => {
  const ours = router();
  const replicas = Array.from({ length: REPLICAS }, (_, i) => reportingReplica(`r${i}`, 0, 0));
  const counts = new Map<Replica, number>();
  for (let n = 1; n <= REPLICAS * 10; n += 1) {
    const [candidate] = ours.route(PLACEMENT, replicas, 0).candidates;
    if (candidate === undefined) throw new Error('somebody must be chosen');
    ours.sent(PLACEMENT, candidate, n, 0);
    counts.set(candidate.replica, (counts.get(candidate.replica) ?? 0) + 1);
  }
  expect(replicas.map((replica) => counts.get(replica))).toEqual(replicas.map(() => 10));
});
