import { LRUCache } from 'lru-cache';
import type { Rng } from '../core/index.ts';
import type { Replica } from '../health/index.ts';
import { PrefixIndex, type IndexedReplica } from './prefix-index.ts';
import { rank, type Candidate, type RankOptions, type Ranking } from './rank.ts';
import { RoutedAttempt } from './routed-attempt.ts';

export interface RouterOptions extends RankOptions {
  /** Different prompt blocks in the index. */
  readonly prefixBlocksMax: number;
  /** Sessions whose replica is remembered. */
  readonly sessionsMax: number;
}

/** A request as it is to be placed. */
export interface Placement {
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

/** Chooses replicas: knows their caches, remembers sessions, and learns from how attempts went. */
export class Router {
  readonly prefixes: PrefixIndex;
  readonly #options: RouterOptions;
  readonly #rng: Rng;
  readonly #sessions: LRUCache<string, string>;

  constructor(options: RouterOptions, rng: Rng) {
    this.#options = options;
    this.#rng = rng;
    this.prefixes = new PrefixIndex(options.prefixBlocksMax);
    this.#sessions = new LRUCache({ max: options.sessionsMax });
  }

  /** Ranks the replicas that may serve the request. */
  route(placement: Placement, replicas: readonly Replica[], now: number): Route {
    const { chain, tokensPerBlock, session } = placement;
    const depths = this.prefixes.match(chain);
    const mirroredTokens = (replica: Replica): number =>
      Math.min(placement.promptTokens, (depths[(replica.place ?? this.#placed(replica)).slot] ?? 0) * tokensPerBlock);
    const holderId = session === null ? undefined : this.#sessions.get(session);
    const holder = holderId === undefined ? null : (replicas.find(({ identity }) => identity.id === holderId) ?? null);
    const ranking = rank(placement, replicas, { mirroredTokens, holder, session }, now, this.#options, this.#rng);
    return { ...ranking, waitMs: ranking.candidates[0]?.terms.queueMs ?? Infinity };
  }

  /** A request goes to `candidate` as dispatch number `mark`. */
  sent(placement: Placement, candidate: Candidate<Replica>, mark: number, now: number): RoutedAttempt {
    if (placement.session !== null) this.#sessions.set(placement.session, candidate.replica.identity.id);
    return new RoutedAttempt(candidate, mark, placement.promptTokens, now);
  }

  #placed(replica: Replica): IndexedReplica {
    const place = this.prefixes.replica(replica.identity.id);
    replica.place = place;
    return place;
  }
}
