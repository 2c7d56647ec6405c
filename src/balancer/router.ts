import { LRUCache } from 'lru-cache';
import type { Rng } from '../core/index.ts';
import type { Replica } from '../health/index.ts';
import { PrefixIndex, type IndexedReplica } from './prefix-index.ts';
import type { CostTerms } from './cost.ts';
import { rank, type Candidate, type RankOptions, type Ranking } from './rank.ts';
import { RoutedAttempt } from './routed-attempt.ts';

const WAIT_WEIGHT = 0.05;
/** The usual wait at which one other counts as much as the request itself, and the most that count. */
const OTHERS_WAIT_MS = 200;
const OTHERS_MAX = 16;

export interface RouterOptions extends Omit<RankOptions, 'regionPriceMs'> {
  readonly regionPriceMs: Readonly<Record<string, number>>;
  /** How much the time counts that others wait for a prefill, once the fleet is busy. */
  readonly othersWeight: number;
  /** Different prompt blocks in the index. */
  readonly prefixBlocksMax: number;
  /** Sessions whose replica is remembered. */
  readonly sessionsMax: number;
}

/** A request as it is to be placed. */
export interface Placement {
  readonly model: string;
  readonly promptTokens: number;
  /** Expected length of the answer. */
  readonly outputTokens: number;
  /** Hashes of the prompt's blocks, two words each. */
  readonly chain: Uint32Array;
  readonly tokensPerBlock: number;
  /** Requests with the same one stay together where that costs little; null when the client named none. */
  readonly session: string | null;
}

/** Where a request would go now. */
export interface Route extends Ranking<Replica> {
  /** What the best candidate keeps it waiting beyond what an idle replica would; infinity when there is none. */
  readonly waitMs: number;
}

/** Which replica has a session, as several gateways know it. */
export interface SharedSessions {
  /** Id of the replica; null when nobody knows. Never rejects. */
  placeOf(session: string): Promise<string | null>;
  note(session: string, replica: string): void;
}

/** Chooses replicas: knows their caches, remembers sessions, and learns from how attempts went. */
export class Router {
  readonly prefixes: PrefixIndex;
  #options: Omit<RouterOptions, 'regionPriceMs'> & RankOptions;
  readonly #rng: Rng;
  /** By model: exponentially weighted mean of what the best candidates would keep a request waiting. Models are the configured ones. */
  readonly #usualWaitMs = new Map<string, number>();
  readonly #sessions: LRUCache<string, string>;

  constructor(options: RouterOptions, rng: Rng) {
    this.#options = rankedBy(options);
    this.#rng = rng;
    this.prefixes = new PrefixIndex(options.prefixBlocksMax);
    this.#sessions = new LRUCache({ max: options.sessionsMax });
  }

  /** Whether this gateway has sent the session somewhere. */
  knowsSession(session: string): boolean {
    return this.#sessions.has(session);
  }

  /** Another gateway has sent the session to this replica. */
  learnSession(session: string, replica: string): void {
    this.#sessions.set(session, replica);
  }

  /** Ranks by these from now on; how much is remembered stays as it was. */
  reconfigure(options: RouterOptions): void {
    this.#options = rankedBy(options);
  }

  /** Ranks the replicas that may serve the request. */
  route(placement: Placement, replicas: readonly Replica[], now: number): Route {
    const { chain, tokensPerBlock, session } = placement;
    const depths = this.prefixes.match(chain);
    const mirroredTokens = (replica: Replica): number =>
      Math.min(placement.promptTokens, (depths[(replica.place ?? this.#placed(replica)).slot] ?? 0) * tokensPerBlock);
    const holderId = session === null ? undefined : this.#sessions.get(session);
    const holder = holderId === undefined ? null : (replicas.find(({ identity }) => identity.id === holderId) ?? null);
    const { promptTokens, outputTokens } = placement;
    const request = { promptTokens, outputTokens, othersWeight: this.#othersWeight(placement.model) };
    const ranking = rank(request, replicas, { mirroredTokens, holder, session }, now, this.#options, this.#rng);
    const terms = ranking.candidates[0]?.terms;
    if (terms === undefined) return { ...ranking, waitMs: Infinity };
    this.#waited(placement.model, terms.queueMs);
    // A full cache keeps prompts waiting as well as a queue does.
    return { ...ranking, waitMs: terms.queueMs + terms.kvMs + rampedQueueMs(terms) };
  }

  /** A request goes to `candidate` as dispatch number `mark`. */
  sent(placement: Placement, candidate: Candidate<Replica>, mark: number, now: number): RoutedAttempt {
    if (placement.session !== null) this.#sessions.set(placement.session, candidate.replica.identity.id);
    // It prefills in order, so whoever comes next with this prefix finds it there.
    this.prefixes.stored(candidate.replica.identity.id, placement.chain);
    return new RoutedAttempt(candidate, mark, placement, now);
  }

  /**
   * A prefill delays all who come before the queue is empty again. In a queue at utilisation u those are about u / (1 − u), as
   * the usual wait is to the service time; so the weight is 0 in an idle fleet and grows as it fills, and then what is cached
   * counts ever more.
   */
  #othersWeight(model: string): number {
    return this.#options.othersWeight * Math.min(OTHERS_MAX, (this.#usualWaitMs.get(model) ?? 0) / OTHERS_WAIT_MS);
  }

  #waited(model: string, waitMs: number): void {
    const before = this.#usualWaitMs.get(model) ?? 0;
    this.#usualWaitMs.set(model, before + WAIT_WEIGHT * (waitMs - before));
  }

  #placed(replica: Replica): IndexedReplica {
    const place = this.prefixes.replica(replica.identity.id);
    replica.place = place;
    return place;
  }
}

/** A configuration that was filled with its defaults reads slowly; a copy does not, and each ranking reads it a thousand times. */
function rankedBy(options: RouterOptions): Omit<RouterOptions, 'regionPriceMs'> & RankOptions {
  return { ...options, regionPriceMs: new Map(Object.entries(options.regionPriceMs)) };
}

/** What of the ramp's cost is for the queue: a replica that has just come back is full with a part of what it takes later. */
function rampedQueueMs({ rampMs, queueMs, prefillMs }: CostTerms): number {
  return rampMs === 0 ? 0 : (rampMs * queueMs) / (queueMs + prefillMs);
}
