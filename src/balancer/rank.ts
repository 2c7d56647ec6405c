import type { Rng } from '../core/index.ts';
import { textHash } from './text-hash.ts';
import {
  costTerms,
  isLoadFresh,
  leastPossibleMs,
  totalMs,
  ttftMs,
  zeroTerms,
  type CostOptions,
  type CostTerms,
  type RankedReplica,
  type RankedRequest,
} from './cost.ts';

export interface RankOptions extends CostOptions {
  /** Costs this close to the least count as equal, and chance decides: many gateways must not all pick the same one. */
  readonly tieMs: number;
  /** A session stays with its replica while that costs no more than this share, or this much, above the least. */
  readonly stickyShare: number;
  readonly stickyMs: number;
  /** Share of requests that go to a replica little is known of lately, among those that cost little more. */
  readonly exploreShare: number;
  /** Candidates that are told with their terms, and may be tried in turn. */
  readonly candidatesMax: number;
}

export interface Candidate<R extends RankedReplica = RankedReplica> {
  readonly replica: R;
  readonly costMs: number;
  /** Predicted time to the first token. */
  readonly ttftMs: number;
  /** Prompt tokens that its mirror says are cached, before trust; and what is counted on. */
  readonly mirroredTokens: number;
  readonly cachedTokens: number;
  readonly terms: CostTerms;
}

/** Why the first candidate is the first. */
export type ChosenBy = 'cost' | 'tie' | 'session' | 'exploration' | 'session-hash' | 'two-choices';

export interface Ranking<R extends RankedReplica = RankedReplica> {
  /** Best first. */
  readonly candidates: readonly Candidate<R>[];
  readonly chosenBy: ChosenBy;
}

/** What a request brings to its ranking beside its size. */
export interface RankInputs<R extends RankedReplica> {
  /** Prompt tokens that the replica's mirror says are cached. */
  readonly mirroredTokens: (replica: R) => number;
  /** The replica that has served the session, if any. */
  readonly holder: R | null;
  /** Null without one. */
  readonly session: string | null;
}

type Inputs<R extends RankedReplica> = RankInputs<R> & { readonly rampMax: number };

/** 1 where some replica has long been there; 0 where all have just come back: then none is held back for it. */
function rampMaxOf(replicas: readonly RankedReplica[], now: number): number {
  return replicas.some((replica) => replica.rampAt(now) === 1) ? 1 : 0;
}

/** No exploration costs a request more than this share, or this much, above the least. */
const EXPLORE_BAND = { share: 0.25, ms: 50 };
/** Cost of a replica is worth nothing where no more than this share of the replicas tells its load. */
const FRESH_SHARE_MIN = 0.5;

/**
 * The replicas by predicted cost, least first: the terms of `costTerms`, then the session's holder within its band, chance
 * among near-ties, and now and then exploration. Where most replicas have told nothing lately, cost is no guide, and the
 * session's hash or the freer one of two decides. Pure but for `rng`.
 */
export function rank<R extends RankedReplica>(
  request: RankedRequest,
  replicas: readonly R[],
  asked: RankInputs<R>,
  now: number,
  options: RankOptions,
  rng: Rng,
): Ranking<R> {
  if (replicas.length === 0) return { candidates: [], chosenBy: 'cost' };
  const inputs = { ...asked, rampMax: rampMaxOf(replicas, now) };
  const { order, costs, fresh } = cheapest(request, replicas, inputs, now, options);
  const { first, chosenBy } =
    fresh < replicas.length * FRESH_SHARE_MIN
      ? blindChoice(replicas, inputs, rng)
      : choice(request, replicas, { order, costs }, inputs, now, options, rng);
  const at = order.indexOf(first);
  if (at >= 0) order.splice(at, 1);
  order.unshift(first);
  const candidates = order.slice(0, options.candidatesMax).map((i) => candidate(request, replicas[i] as R, inputs, now, options));
  return { candidates, chosenBy };
}

/** The least costs, least first, and which replicas they are of. */
interface Cheapest {
  readonly order: number[];
  readonly costs: number[];
}

/**
 * The `candidatesMax` cheapest replicas, by a bounded insertion: there are few of them, and there may be a thousand replicas.
 * Also counts those whose load is fresh.
 */
function cheapest<R extends RankedReplica>(
  request: RankedRequest,
  replicas: readonly R[],
  inputs: Inputs<R>,
  now: number,
  options: RankOptions,
): Cheapest & { readonly fresh: number } {
  const order: number[] = [];
  const costs: number[] = [];
  const terms = zeroTerms();
  const most = options.candidatesMax;
  let worst = Infinity;
  let fresh = 0;
  for (let i = 0; i < replicas.length; i += 1) {
    const replica = replicas[i] as R;
    if (isLoadFresh(replica, now, options.loadStaleMs)) fresh += 1;
    const cached = trusted(request, replica, inputs.mirroredTokens(replica));
    if (order.length === most && leastPossibleMs(request, replica, cached, now, options) >= worst) continue;
    costTerms(terms, request, replica, cached, now, options, inputs.rampMax);
    const cost = totalMs(terms);
    if (order.length === most && cost >= worst) continue;
    let at = Math.min(order.length, most - 1);
    for (; at > 0 && (costs[at - 1] ?? 0) > cost; at -= 1) {
      costs[at] = costs[at - 1] ?? 0;
      order[at] = order[at - 1] ?? 0;
    }
    costs[at] = cost;
    order[at] = i;
    worst = costs[order.length - 1] ?? Infinity;
  }
  return { order, costs, fresh };
}

function candidate<R extends RankedReplica>(
  request: RankedRequest,
  replica: R,
  inputs: Inputs<R>,
  now: number,
  options: CostOptions,
): Candidate<R> {
  const mirroredTokens = inputs.mirroredTokens(replica);
  const cachedTokens = trusted(request, replica, mirroredTokens);
  const terms = zeroTerms();
  costTerms(terms, request, replica, cachedTokens, now, options, inputs.rampMax);
  return { replica, costMs: totalMs(terms), ttftMs: ttftMs(terms), mirroredTokens, cachedTokens, terms };
}

/** ρ · mirrored, and never the whole prompt: at least one token is always prefilled. */
function trusted(request: RankedRequest, { trust }: RankedReplica, mirroredTokens: number): number {
  return mirroredTokens === 0 ? 0 : Math.min(request.promptTokens - 1, trust.value * mirroredTokens);
}

function choice<R extends RankedReplica>(
  request: RankedRequest,
  replicas: readonly R[],
  { order, costs }: Cheapest,
  inputs: Inputs<R>,
  now: number,
  options: RankOptions,
  rng: Rng,
): { first: number; chosenBy: ChosenBy } {
  const best = order[0] ?? 0;
  const least = costs[0] ?? 0;
  if (rng.next() < options.exploreShare) {
    const seldom = seldomUsed(replicas, { order, costs }, least + Math.max(EXPLORE_BAND.ms, least * EXPLORE_BAND.share));
    if (seldom !== best) return { first: seldom, chosenBy: 'exploration' };
  }
  const { holder } = inputs;
  const at = holder === null ? -1 : replicas.indexOf(holder);
  if (holder !== null && at >= 0) {
    const band = least + Math.max(options.stickyMs, least * options.stickyShare);
    if (candidate(request, holder, inputs, now, options).costMs <= band) return { first: at, chosenBy: at === best ? 'cost' : 'session' };
  }
  let ties = 1;
  while (ties < order.length && (costs[ties] ?? Infinity) <= least + options.tieMs) ties += 1;
  if (ties === 1) return { first: best, chosenBy: 'cost' };
  return { first: order[Math.floor(rng.next() * ties)] ?? best, chosenBy: 'tie' };
}

/** Of the cheapest that cost at most `mostMs`, the one that has least of ours. */
function seldomUsed(replicas: readonly RankedReplica[], { order, costs }: Cheapest, mostMs: number): number {
  let found = order[0] ?? 0;
  for (const [n, i] of order.entries()) {
    if ((costs[n] ?? Infinity) <= mostMs && (replicas[i]?.inFlight ?? 0) < (replicas[found]?.inFlight ?? 0)) found = i;
  }
  return found;
}

/** By the session's hash while that replica is not twice as busy as the mean; else the one of two with less of ours. */
function blindChoice<R extends RankedReplica>(
  replicas: readonly R[],
  inputs: RankInputs<R>,
  rng: Rng,
): { first: number; chosenBy: ChosenBy } {
  const pick = (): number => Math.floor(rng.next() * replicas.length);
  const inFlight = (i: number): number => replicas[i]?.inFlight ?? 0;
  if (inputs.session !== null) {
    const mean = replicas.reduce((sum, replica) => sum + replica.inFlight, 0) / replicas.length;
    const held = rendezvous(inputs.session, replicas);
    if (inFlight(held) <= 2 * mean + 1) return { first: held, chosenBy: 'session-hash' };
  }
  const one = pick();
  const other = pick();
  return { first: inFlight(one) <= inFlight(other) ? one : other, chosenBy: 'two-choices' };
}

/** Highest random weight (Thaler & Ravishankar): the same replica for a session as long as it is there, whoever comes or goes. */
function rendezvous(session: string, replicas: readonly RankedReplica[]): number {
  let best = 0;
  let bestWeight = -1;
  for (const [i, { identity }] of replicas.entries()) {
    const weight = textHash(`${session}\0${identity.id}`);
    if (weight > bestWeight) [best, bestWeight] = [i, weight];
  }
  return best;
}
