import type { NodeState } from '../../link/index.ts';

/** A request as it reaches a simulated gateway. Amounts in tokens; times in virtual milliseconds. */
export interface FleetRequest {
  /** Its number in the workload, from 0. */
  readonly index: number;
  readonly arrivalMs: number;
  readonly organization: string;
  /** Requests of one conversation; empty when it cannot be told. */
  readonly session: string;
  readonly promptTokens: number;
  /** Length the answer will have. Only the engine may look at it. */
  readonly outputTokens: number;
  /** Hashes of the prompt's whole blocks, chained: two words (low, high) each. */
  readonly chain: Uint32Array;
  /** The same for prompt and answer together, as the engine's cache will hold it. */
  readonly answeredChain: Uint32Array;
  readonly tokensPerBlock: number;
  /** Regions it may be served in; null: all. */
  readonly regions: readonly string[] | null;
  readonly priority: 'critical' | 'standard' | 'batch';
}

/** A replica as its node's hello tells it. */
export interface FleetReplica {
  readonly id: string;
  readonly node: string;
  readonly region: string;
  readonly kvTokens: number;
  readonly contextTokens: number;
  readonly runningMax: number;
}

/** What a node's load message carries. */
export interface FleetLoad {
  readonly seq: number;
  /** How long ago it was taken when it was sent, by the node's own clock. */
  readonly ageMs: number;
  readonly running: number;
  readonly queued: number;
  readonly queuedUncachedTokens: number;
  readonly kvTokensUsed: number;
  readonly kvTokens: number;
  readonly prefillTokensPerS: number | null;
  readonly decodeTokensPerS: number | null;
}

/** How an attempt ended, as the gateway learns it. Counts are null where its engine told nothing. */
export interface FleetOutcome {
  readonly kind: 'completed' | 'failed' | 'cancelled';
  /** Why, when failed: the engine's queue is full, the link is down, … */
  readonly reason: string;
  readonly counts: { readonly promptTokens: number; readonly cachedTokens: number; readonly completionTokens: number } | null;
}

/** What happens at one simulated gateway, told to the policy that decides there; in order of virtual time. */
export interface GatewayMind {
  /** A replica's node has dialled in (at the start, and again after its link was down), or its link is gone. */
  linked(replica: FleetReplica): void;
  unlinked(replicaId: string): void;
  stateChanged(replicaId: string, state: NodeState): void;
  roundTrip(replicaId: string, rttMs: number): void;
  /** A load report came that knows of all this gateway's dispatches up to `seenMark`. */
  load(replicaId: string, load: FleetLoad, seenMark: number): void;
  /** Mirror events of the replica's cache; `chain` words, two per block. */
  prefixStored(replicaId: string, words: Uint32Array): void;
  prefixEvicted(replicaId: string, words: Uint32Array): void;
  prefixCleared(replicaId: string): void;
  /** A request came. It must end in a `dispatch` or a `refuse` of the world, now or later; and be tried again, or refused, after a failure. */
  arrived(request: FleetRequest): void;
  firstToken(attempt: FleetAttempt): void;
  /**
   * `isAnswering`: its first token had come, so the client has part of an answer: the request cannot be tried anew, only gone
   * on with, at once; else its client is cut off.
   */
  ended(attempt: FleetAttempt, outcome: FleetOutcome, isAnswering: boolean): void;
  /** Called every `TICK_MS` of virtual time. */
  tick(): void;
  /** What is left in it: requests that wait, permits not returned. All zero once every request has ended. */
  leftovers(): { readonly waiting: number; readonly inFlight: number };
}

export const TICK_MS = 100;

/** One try of a request on a replica. */
export interface FleetAttempt {
  readonly request: FleetRequest;
  readonly replicaId: string;
  /** Number of this dispatch to this replica from this gateway: rises by one. */
  readonly mark: number;
  readonly sentMs: number;
  /** Tokens of the answer that were there when it was sent: it goes on with them. */
  readonly resumedTokens: number;
}

/** What a policy may do and see. */
export interface GatewayWorld {
  readonly region: string;
  now(): number;
  rng(): number;
  /** Sends the request to a replica, to go on after `resumedTokens` of its answer; null when no link leads there. */
  dispatch(request: FleetRequest, replicaId: string, resumedTokens?: number): FleetAttempt | null;
  /** Gives an attempt up: its engine is told to stop, and nothing more is heard of it. */
  cancel(attempt: FleetAttempt): void;
  /** Tokens of the answer that its client has got, from this attempt and those before. */
  delivered(attempt: FleetAttempt): number;
  /** Answers 429; the client does not come back. */
  refuse(request: FleetRequest, retryAfterMs: number): void;
  /** The request failed for good, after `attempts` were made. */
  fail(request: FleetRequest, reason: string): void;
}

/** Makes the policy of one gateway. */
export interface MindFactory {
  readonly name: string;
  /** A sentence on the algorithm, and where it is published. */
  readonly about: string;
  make(world: GatewayWorld): GatewayMind;
}
