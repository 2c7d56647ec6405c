import type { Rng } from '../core/index.ts';
import { textHash } from './text-hash.ts';
import { costTerms, isLoadFresh, totalMs, ttftMs, zeroTerms, type CostOptions, type CostTerms, type RankedReplica, type RankedRequest } from './cost.ts';

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
  inputs: RankInputs<R>,
  now: number,
  options: RankOptions,
  rng: Rng,
): Ranking<R> {
  if (replicas.length === 0) return { candidates: [], chosenBy: 'cost' };
  const costs = costsOf(request, replicas, inputs, now, options);
  const order = leastFirst(costs, options.candidatesMax);
  const { first, chosenBy } = isBlind(replicas, now, options)
    ? blindChoice(replicas, inputs, rng)
    : choice(replicas, costs, order, inputs, options, rng);
  const at = order.indexOf(first);
  if (at >= 0) order.splice(at, 1);
  order.unshift(first);
  const candidates = order.slice(0, options.candidatesMax).map((i) => candidate(request, replicas[i] as R, inputs, now, options));
  return { candidates, chosenBy };
}

function costsOf<R extends RankedReplica>(
  request: RankedRequest,
  replicas: readonly R[],
  inputs: RankInputs<R>,
  now: number,
  options: CostOptions,
): Float64Array {
  const costs = new Float64Array(replicas.length);
  const terms = zeroTerms();
  for (const [i, replica] of replicas.entries()) {
    costTerms(terms, request, replica, trusted(request, replica, inputs.mirroredTokens(replica)), now, options);
    costs[i] = totalMs(terms);
  }
  return costs;
}

function candidate<R extends RankedReplica>(
  request: RankedRequest,
  replica: R,
  inputs: RankInputs<R>,
  now: number,
  options: CostOptions,
): Candidate<R> {
  const mirroredTokens = inputs.mirroredTokens(replica);
  const cachedTokens = trusted(request, replica, mirroredTokens);
  const terms = zeroTerms();
  costTerms(terms, request, replica, cachedTokens, now, options);
  return { replica, costMs: totalMs(terms), ttftMs: ttftMs(terms), mirroredTokens, cachedTokens, terms };
}

/** ρ · mirrored, and never the whole prompt: at least one token is always prefilled. */
function trusted(request: RankedRequest, { trust }: RankedReplica, mirroredTokens: number): number {
  return mirroredTokens === 0 ? 0 : Math.min(request.promptTokens - 1, trust.value * mirroredTokens);
}

/** Indices of the `count` least costs, least first: a bounded insertion, since `count` is small and there may be a thousand. */
function leastFirst(costs: Float64Array, count: number): number[] {
  const order: number[] = [];
  for (let i = 0; i < costs.length; i += 1) {
    const cost = costs[i] ?? Infinity;
    if (order.length === count && cost >= (costs[order[count - 1] ?? 0] ?? Infinity)) continue;
    let at = order.length === count ? count - 1 : order.length;
    while (at > 0 && (costs[order[at - 1] ?? 0] ?? Infinity) > cost) {
      order[at] = order[at - 1] ?? 0;
      at -= 1;
    }
    order[at] = i;
  }
  return order;
}

function choice<R extends RankedReplica>(
  replicas: readonly R[],
  costs: Float64Array,
  order: readonly number[],
  inputs: RankInputs<R>,
  options: RankOptions,
  rng: Rng,
): { first: number; chosenBy: ChosenBy } {
  const best = order[0] ?? 0;
  const least = costs[best] ?? 0;
  if (rng.next() < options.exploreShare) {
    const seldom = seldomSeen(replicas, costs, least + Math.max(EXPLORE_BAND.ms, least * EXPLORE_BAND.share));
    if (seldom !== best) return { first: seldom, chosenBy: 'exploration' };
  }
  const { holder } = inputs;
  if (holder !== null) {
    const at = replicas.indexOf(holder);
    const band = least + Math.max(options.stickyMs, least * options.stickyShare);
    if (at >= 0 && (costs[at] ?? Infinity) <= band) return { first: at, chosenBy: at === best ? 'cost' : 'session' };
  }
  let ties = 1;
  while (ties < order.length && (costs[order[ties] ?? 0] ?? Infinity) <= least + options.tieMs) ties += 1;
  if (ties === 1) return { first: best, chosenBy: 'cost' };
  return { first: order[Math.floor(rng.next() * ties)] ?? best, chosenBy: 'tie' };
}

/** Of the replicas that cost at most `mostMs`, the one that has least of ours. */
function seldomSeen(replicas: readonly RankedReplica[], costs: Float64Array, mostMs: number): number {
  let found = -1;
  for (const [i, replica] of replicas.entries()) {
    if ((costs[i] ?? Infinity) > mostMs) continue;
    if (found < 0 || replica.inFlight < (replicas[found]?.inFlight ?? 0)) found = i;
  }
  return found;
}

function isBlind(replicas: readonly RankedReplica[], now: number, options: CostOptions): boolean {
  let fresh = 0;
  for (const replica of replicas) if (isLoadFresh(replica, now, options.loadStaleMs)) fresh += 1;
  return fresh < replicas.length * FRESH_SHARE_MIN;
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
