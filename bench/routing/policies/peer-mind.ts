import type {
  FleetAttempt,
  FleetLoad,
  FleetOutcome,
  FleetReplica,
  FleetRequest,
  GatewayMind,
  GatewayWorld,
} from '../../../src/sim/index.ts';

/** A replica as a peer's router sees it. */
export interface PeerReplica {
  readonly id: string;
  readonly region: string;
  readonly kvTokens: number;
  /** The newest load report; null before the first. */
  load: FleetLoad | null;
  /** Attempts of this router that have not ended. */
  inFlight: number;
}

/** What sets one peer apart: which replica it chooses, and what it keeps in mind for that. */
export interface PeerPolicy {
  choose(request: FleetRequest, replicas: readonly PeerReplica[]): PeerReplica;
  readonly sent?: (attempt: FleetAttempt, replica: PeerReplica) => void;
  readonly began?: (attempt: FleetAttempt) => void;
  readonly ended?: (attempt: FleetAttempt, replica: PeerReplica | undefined) => void;
  readonly stored?: (replicaId: string, words: Uint32Array) => void;
  readonly evicted?: (replicaId: string, words: Uint32Array) => void;
  readonly forgotten?: (replicaId: string) => void;
}

const ATTEMPTS_MAX = 3;
const RETRY_AFTER_MS = 2_000;

/**
 * What all peers do alike, with the benefit of the doubt: they see every replica at once when it comes or goes, have its load
 * reports and cache events like we do, and try a failed request on others. Requests wait in the engines' own queues.
 */
export class PeerMind implements GatewayMind {
  readonly #world: GatewayWorld;
  readonly #policy: PeerPolicy;
  readonly #replicas = new Map<string, PeerReplica>();
  readonly #tried = new Map<FleetRequest, Set<string>>();
  readonly #isHomeFirst: boolean;

  /** `isHomeFirst`: as one router per region, which knows the replicas of its own region alone as long as there are any. */
  constructor(world: GatewayWorld, policy: PeerPolicy, isHomeFirst: boolean) {
    this.#world = world;
    this.#policy = policy;
    this.#isHomeFirst = isHomeFirst;
  }

  linked({ id, region, kvTokens }: FleetReplica): void {
    this.#replicas.set(id, { id, region, kvTokens, load: null, inFlight: 0 });
  }

  unlinked(replicaId: string): void {
    this.#replicas.delete(replicaId);
    this.#policy.forgotten?.(replicaId);
  }

  stateChanged(): void {}

  roundTrip(): void {}

  load(replicaId: string, load: FleetLoad): void {
    const replica = this.#replicas.get(replicaId);
    if (replica !== undefined) replica.load = load;
  }

  prefixStored(replicaId: string, words: Uint32Array): void {
    this.#policy.stored?.(replicaId, words);
  }

  prefixEvicted(replicaId: string, words: Uint32Array): void {
    this.#policy.evicted?.(replicaId, words);
  }

  prefixCleared(replicaId: string): void {
    this.#policy.forgotten?.(replicaId);
  }

  arrived(request: FleetRequest): void {
    const tried = this.#tried.get(request) ?? new Set();
    const allowed = [...this.#replicas.values()].filter(({ id, region }) => !tried.has(id) && (request.regions?.includes(region) ?? true));
    const atHome = this.#isHomeFirst ? allowed.filter(({ region }) => region === this.#world.region) : [];
    const among = atHome.length > 0 ? atHome : allowed;
    if (among.length === 0) {
      this.#tried.delete(request);
      return this.#world.refuse(request, RETRY_AFTER_MS);
    }
    const replica = this.#policy.choose(request, among);
    const attempt = this.#world.dispatch(request, replica.id);
    tried.add(replica.id);
    this.#tried.set(request, tried);
    if (attempt === null) return this.arrived(request);
    replica.inFlight += 1;
    this.#policy.sent?.(attempt, replica);
  }

  firstToken(attempt: FleetAttempt): void {
    this.#policy.began?.(attempt);
  }

  ended(attempt: FleetAttempt, outcome: FleetOutcome, isAnswering: boolean): void {
    const replica = this.#replicas.get(attempt.replicaId);
    if (replica !== undefined) replica.inFlight -= 1;
    this.#policy.ended?.(attempt, replica);
    const { request } = attempt;
    const tries = this.#tried.get(request)?.size ?? 0;
    if (outcome.kind === 'completed' || isAnswering) this.#tried.delete(request);
    else if (tries < ATTEMPTS_MAX) this.arrived(request);
    else {
      this.#tried.delete(request);
      if (outcome.reason === 'queue_full') this.#world.refuse(request, RETRY_AFTER_MS);
      else this.#world.fail(request, outcome.reason);
    }
  }

  tick(): void {}

  leftovers(): { readonly waiting: number; readonly inFlight: number } {
    return { waiting: this.#tried.size, inFlight: [...this.#replicas.values()].reduce((sum, { inFlight }) => sum + inFlight, 0) };
  }
}
