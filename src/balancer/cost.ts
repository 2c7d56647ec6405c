import type { Replica } from '../health/index.ts';

/** What of a replica its predicted cost depends on; a `Replica` is one. */
export type RankedReplica = Pick<Replica, 'rttMs' | 'load' | 'loadAtMs' | 'inFlight' | 'heldKvTokens' | 'backlog' | 'pace' | 'trust' | 'failures' | 'rampAt'> & {
  readonly identity: Pick<Replica['identity'], 'id' | 'node' | 'region' | 'kvTokens'>;
};

/** What is known of a request before it is sent. Amounts in tokens. */
export interface RankedRequest {
  readonly promptTokens: number;
  /** Expected length of the answer. */
  readonly outputTokens: number;
  /** What the others who will wait for it pay for each millisecond of its prefill; see `Router`. */
  readonly othersWeight: number;
}

export interface CostOptions {
  /** Taken for replicas whose distance is not measured yet. */
  readonly rttMs: number;
  /** Taken for the queue of replicas without a fresh load report: unknown is not empty. */
  readonly queuedTokens: number;
  /** A load report older than this tells nothing any more. */
  readonly loadStaleMs: number;
  /** λ: cost of half of the KV cache being in use by running requests. */
  readonly kvBarrierMs: number;
  /** w: how much a slower answer counts beside a later first token. */
  readonly decodeWeight: number;
  /** Time per output token that is good enough. */
  readonly tpotTargetMs: number;
  /** What a failed attempt costs its request. */
  readonly retryCostMs: number;
  /** What a region costs beyond time, in milliseconds. */
  readonly regionPriceMs: ReadonlyMap<string, number>;
  /** The gateway's own region, and what leaving it costs beyond time. */
  readonly homeRegion: string;
  readonly awayMs: number;
}

/** Predicted cost of a request at a replica, by its terms, in milliseconds. */
export interface CostTerms {
  /** Network, there and back. */
  rttMs: number;
  /** Work ahead of us: reported, and sent since. */
  queueMs: number;
  /** Our own prefill, less what is cached, and the step that makes the first token. */
  prefillMs: number;
  /** What our prefill costs those who wait behind us. */
  othersMs: number;
  /** KV pressure. */
  kvMs: number;
  /** Slow decoding in a full batch. */
  decodeMs: number;
  /** It has just come back, and is counted on for a part of its speed only. */
  rampMs: number;
  failureMs: number;
  priceMs: number;
}

const KV_USE_MAX = 0.99;

export function zeroTerms(): CostTerms {
  return { rttMs: 0, queueMs: 0, prefillMs: 0, othersMs: 0, kvMs: 0, decodeMs: 0, rampMs: 0, failureMs: 0, priceMs: 0 };
}

export function totalMs(terms: CostTerms): number {
  const { rttMs, queueMs, prefillMs, othersMs, kvMs, decodeMs, rampMs, failureMs, priceMs } = terms;
  return rttMs + queueMs + prefillMs + othersMs + kvMs + decodeMs + rampMs + failureMs + priceMs;
}

/** Predicted time to the first token. */
export function ttftMs(terms: CostTerms): number {
  return terms.rttMs + terms.queueMs + terms.prefillMs;
}

/** Whether the newest load report of a replica still tells something. */
export function isLoadFresh(replica: Pick<RankedReplica, 'load' | 'loadAtMs'>, now: number, staleMs: number): boolean {
  return replica.load !== null && now - replica.loadAtMs <= staleMs;
}

/**
 * Fills `terms` with the predicted cost of `request` at `replica`, which is believed to hold `cachedTokens` of its prompt:
 *
 *     rtt + ahead / μ + (prompt − cached) / μ + step + others + λ·k/(1 − k) + w·output·max(0, tpot(b + 1) − target)
 *         + (1/ramp − 1) · (ahead + prompt − cached) / μ + pFail·retry + price
 *
 * μ, the step and tpot are learned per replica; k is the share of the KV cache that running requests hold, ours included;
 * b is the batch; ramp is below 1 for one that has just come back while others have not. Others: our prefill delays whoever comes next by its length; it is `othersWeight · prefill`.
 */
export function costTerms(
  terms: CostTerms,
  request: RankedRequest,
  replica: RankedReplica,
  cachedTokens: number,
  now: number,
  options: CostOptions,
  rampMax = 1,
): void {
  const { pace, load } = replica;
  const tokensPerMs = pace.prefillTokensPerMs;
  const isFresh = isLoadFresh(replica, now, options.loadStaleMs);
  const knownAhead = replica.backlog.tokensAt(now, tokensPerMs);
  const ahead = isFresh && replica.backlog.isKnown ? knownAhead : knownAhead + options.queuedTokens;
  const uncached = Math.max(1, request.promptTokens - cachedTokens);
  const own = uncached / tokensPerMs;
  terms.rttMs = replica.rttMs ?? options.rttMs;
  terms.queueMs = ahead / tokensPerMs;
  terms.prefillMs = own + pace.stepMs;
  terms.othersMs = request.othersWeight * own;
  terms.kvMs = options.kvBarrierMs * barrier(kvUse(request, replica, cachedTokens, isFresh));
  const running = isFresh && load !== null ? Math.max(load.running, replica.inFlight) : replica.inFlight;
  terms.decodeMs = options.decodeWeight * request.outputTokens * Math.max(0, pace.tpotMs(running + 1) - options.tpotTargetMs);
  terms.rampMs = Math.max(0, rampMax / replica.rampAt(now) - 1) * (terms.queueMs + own);
  terms.failureMs = replica.failures.at(now) * options.retryCostMs;
  terms.priceMs = priceMs(replica, options);
}

/** A bound from below of the whole cost, by the terms that cost least to reckon: enough to pass over most of a large fleet. */
export function leastPossibleMs(request: RankedRequest, replica: RankedReplica, cachedTokens: number, now: number, options: CostOptions): number {
  const tokensPerMs = replica.pace.prefillTokensPerMs;
  const tokens = replica.backlog.tokensAt(now, tokensPerMs) + Math.max(1, request.promptTokens - cachedTokens);
  return (replica.rttMs ?? options.rttMs) + tokens / tokensPerMs + priceMs(replica, options);
}

function priceMs({ identity: { region } }: RankedReplica, { regionPriceMs, homeRegion, awayMs }: CostOptions): number {
  return (regionPriceMs.size === 0 ? 0 : (regionPriceMs.get(region) ?? 0)) + (region === homeRegion ? 0 : awayMs);
}

function kvUse(request: RankedRequest, replica: RankedReplica, cachedTokens: number, isFresh: boolean): number {
  const kvTokens = replica.load?.kvTokens ?? replica.identity.kvTokens;
  if (kvTokens === null || kvTokens <= 0) return 0;
  const used = isFresh ? (replica.load?.kvTokensUsed ?? 0) : 0;
  const held = Math.max(used + replica.backlog.sentSinceTokens, replica.heldKvTokens);
  return (held + request.promptTokens - cachedTokens) / kvTokens;
}

function barrier(use: number): number {
  const k = Math.min(KV_USE_MAX, Math.max(0, use));
  return k / (1 - k);
}
