import { expect, test } from 'vitest';
import { rank, type ReplicaSnapshot } from '../../src/balancer/index.ts';
import { seededRng } from '../../src/core/index.ts';
import { DispatchLog } from '../../src/health/index.ts';

const REPLICAS = 8;
const PROMPT_TOKENS = 2_000;
const PREFILL_TOKENS_PER_MS = 10;
const OPTIONS = { prefillTokensPerS: PREFILL_TOKENS_PER_MS * 1_000, rttMs: 100, queuedTokens: 20_000, tieMs: 2 };

interface SimulatedReplica {
  readonly log: DispatchLog;
  /** What waits for prefill, in order. */
  readonly queue: { readonly mark: number; tokens: number }[];
  reportedTokens: number;
  lastMark: number;
}

/**
 * Requests at nine tenths of what all replicas can prefill, over 20 s; each replica reports every `reportMs`, not all at
 * once. Returns the mean wait for prefill, in milliseconds.
 */
function meanWaitMs(reportMs: number, knowsSent: boolean): number {
  const rng = seededRng(1);
  const replicas = Array.from({ length: REPLICAS }, (): SimulatedReplica => ({ log: new DispatchLog(), queue: [], reportedTokens: 0, lastMark: 0 }));
  const requestsPerMs = (0.9 * REPLICAS * PREFILL_TOKENS_PER_MS) / PROMPT_TOKENS;
  let waitedMs = 0;
  let requests = 0;
  for (let now = 0; now < 20_000; now += 1) {
    for (const [i, replica] of replicas.entries()) {
      prefill(replica);
      if ((now + (i * reportMs) / REPLICAS) % reportMs >= 1) continue;
      replica.reportedTokens = queuedTokens(replica);
      replica.log.reported(replica.lastMark);
    }
    if (rng.next() >= requestsPerMs) continue;
    const snapshots = replicas.map(({ log, reportedTokens }, i): ReplicaSnapshot => {
      const sentSinceTokens = knowsSent ? log.sentSinceTokens : 0;
      return { id: String(i), region: 'here', rttMs: 1, queuedUncachedTokens: reportedTokens, sentSinceTokens, prefillTokensPerS: null };
    });
    const chosen = replicas[Number(rank(PROMPT_TOKENS, snapshots, OPTIONS, rng)[0]?.id)];
    if (chosen === undefined) continue;
    waitedMs += queuedTokens(chosen) / PREFILL_TOKENS_PER_MS;
    requests += 1;
    chosen.lastMark += 1;
    chosen.queue.push({ mark: chosen.lastMark, tokens: PROMPT_TOKENS });
    chosen.log.sent(chosen.lastMark, PROMPT_TOKENS);
  }
  return waitedMs / requests;
}

/** One millisecond of it; a prompt that is done makes its first token, which the gateway sees. */
function prefill({ queue, log }: SimulatedReplica): void {
  const [first] = queue;
  if (first === undefined) return;
  first.tokens -= PREFILL_TOKENS_PER_MS;
  if (first.tokens > 0) return;
  queue.shift();
  log.done(first.mark);
}

function queuedTokens({ queue }: SimulatedReplica): number {
  return queue.reduce((sum, { tokens }) => sum + tokens, 0);
}

test('with reports two seconds old, requests wait little longer than with fresh ones, and would herd if it were not known what was sent since', () => {
  const fresh = meanWaitMs(1, true);
  const stale = meanWaitMs(2_000, true);
  const herding = meanWaitMs(2_000, false);
  expect(stale).toBeLessThan(fresh * 4);
  expect(herding).toBeGreaterThan(stale * 5);
});

test('a burst within one report is spread over all replicas', () => {
  const logs = Array.from({ length: REPLICAS }, () => new DispatchLog());
  const rng = seededRng(1);
  const counts = logs.map(() => 0);
  for (let n = 1; n <= REPLICAS * 10; n += 1) {
    const snapshots = logs.map(({ sentSinceTokens }, i): ReplicaSnapshot => {
      return { id: String(i), region: 'here', rttMs: 1, queuedUncachedTokens: 0, sentSinceTokens, prefillTokensPerS: null };
    });
    const chosen = Number(rank(PROMPT_TOKENS, snapshots, OPTIONS, rng)[0]?.id);
    logs[chosen]?.sent(n, PROMPT_TOKENS);
    counts[chosen] = (counts[chosen] ?? 0) + 1;
  }
  expect(counts).toEqual(counts.map(() => 10));
});
