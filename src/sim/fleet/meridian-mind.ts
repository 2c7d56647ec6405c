import { EdgeHold, type EdgeHoldOptions, type Holdable } from '../../admission/index.ts';
import { ExpectedOutput, Router, type Candidate, type Placement, type RoutedAttempt, type RouterOptions } from '../../balancer/index.ts';
import type { Rng } from '../../core/index.ts';
import { eligible, Fleet, PACE_PRIOR, Replica, type AttemptPermit, type EligibleOptions, type ReplicaHealthOptions } from '../../health/index.ts';
import type { NodeState } from '../../link/index.ts';
import type {
  FleetAttempt,
  FleetLoad,
  FleetOutcome,
  FleetReplica,
  FleetRequest,
  GatewayMind,
  GatewayWorld,
  MindFactory,
} from './gateway-mind.ts';

const MODEL = 'model';
const OUTPUT_KEYS_MAX = 10_000;
const PUMP_MS = 10;

export interface MeridianOptions {
  readonly router: Omit<RouterOptions, 'homeRegion'>;
  readonly hold: EdgeHoldOptions;
  readonly health: ReplicaHealthOptions & EligibleOptions;
  readonly attemptsMax: number;
}

/** Attempts of the simulated world go by `GatewayWorld.dispatch`; the upstream that real ones have is never used. */
const NO_UPSTREAM = {
  lastDispatch: 0,
  dispatch(): boolean {
    throw new Error('a simulated replica has no upstream');
  },
};

interface Tried {
  readonly permit: AttemptPermit;
  readonly routed: RoutedAttempt;
  readonly nodes: ReadonlySet<string>;
}

/** A gateway's own decisions, made by the code that serves: fleet, breakers, router, expected output and the hold at the edge. */
class MeridianMind implements GatewayMind {
  readonly #world: GatewayWorld;
  readonly #options: MeridianOptions;
  readonly #rng: Rng;
  readonly #fleet = new Fleet();
  readonly #router: Router;
  readonly #expected = new ExpectedOutput(OUTPUT_KEYS_MAX);
  readonly #hold: EdgeHold;
  readonly #tried = new Map<FleetAttempt, Tried>();
  #pumpedMs = 0;

  constructor(world: GatewayWorld, options: MeridianOptions) {
    this.#world = world;
    this.#options = options;
    this.#rng = { next: () => world.rng() };
    this.#hold = new EdgeHold(options.hold);
    this.#router = new Router({ ...options.router, homeRegion: world.region }, this.#rng);
  }

  linked({ id, node, region, kvTokens, contextTokens, runningMax }: FleetReplica): void {
    const identity = { id, node, region, engine: 'sim', models: [MODEL], contextTokens, runningMax, kvTokens, continuation: 'tokens' as const };
    this.#fleet.add(new Replica(identity, NO_UPSTREAM, this.#options.health, this.#rng, PACE_PRIOR));
  }

  unlinked(replicaId: string): void {
    this.#fleet.remove(replicaId);
    this.#router.prefixes.remove(replicaId);
  }

  stateChanged(replicaId: string, state: NodeState): void {
    this.#fleet.get(replicaId)?.setState(state, '', this.#world.now());
  }

  roundTrip(replicaId: string, rttMs: number): void {
    this.#fleet.get(replicaId)?.measured(rttMs);
  }

  load(replicaId: string, load: FleetLoad, seenMark: number): void {
    this.#fleet.get(replicaId)?.report(load, seenMark, this.#world.now());
    this.#pump();
  }

  prefixStored(replicaId: string, words: Uint32Array): void {
    this.#router.prefixes.stored(replicaId, words);
  }

  prefixEvicted(replicaId: string, words: Uint32Array): void {
    this.#router.prefixes.evicted(replicaId, words);
  }

  prefixCleared(replicaId: string): void {
    this.#router.prefixes.clear(replicaId);
  }

  arrived(request: FleetRequest): void {
    this.#hold.arrive(this.#holdable(request, new Set(), ''), this.#world.now());
  }

  firstToken(attempt: FleetAttempt): void {
    const tried = this.#tried.get(attempt);
    tried?.permit.progressed(this.#world.now());
    tried?.routed.began(this.#world.now(), true);
    this.#pump();
  }

  ended(attempt: FleetAttempt, outcome: FleetOutcome, isAnswering: boolean): void {
    const tried = this.#tried.get(attempt);
    if (tried === undefined) return;
    this.#tried.delete(attempt);
    tried.permit.end(outcome.kind === 'completed' ? 'success' : 'failure', this.#world.now());
    tried.routed.ended(outcome.counts);
    const { request } = attempt;
    if (outcome.kind === 'completed') this.#learn(request, outcome);
    else if (!isAnswering) this.#retry(request, tried.nodes, outcome.reason);
    this.#pump();
  }

  tick(): void {
    this.#hold.expire(this.#world.now());
    this.#pump();
  }

  leftovers(): { readonly waiting: number; readonly inFlight: number } {
    return { waiting: this.#hold.waiting, inFlight: this.#fleet.all().reduce((sum, { inFlight }) => sum + inFlight, this.#tried.size) };
  }

  #retry(request: FleetRequest, nodes: ReadonlySet<string>, reason: string): void {
    if (nodes.size >= this.#options.attemptsMax) this.#world.fail(request, reason);
    else if (!this.#place(request, nodes, Infinity)) this.#hold.arrive(this.#holdable(request, nodes, reason), this.#world.now());
  }

  #holdable(request: FleetRequest, nodes: ReadonlySet<string>, reason: string): Holdable {
    const { organization, priority, promptTokens } = request;
    return {
      organization,
      priority,
      inputTokens: promptTokens,
      outputTokens: this.#expected.estimate(organization, MODEL, null),
      deadlineMs: null,
      place: (waitMsMax) => this.#place(request, nodes, waitMsMax),
      refuse: (retryAfterMs) => (reason === '' ? this.#world.refuse(request, retryAfterMs) : this.#world.fail(request, reason)),
    };
  }

  #learn({ organization, promptTokens }: FleetRequest, { counts }: FleetOutcome): void {
    const made = counts?.completionTokens ?? 0;
    const expected = this.#expected.estimate(organization, MODEL, null);
    this.#expected.learn(organization, MODEL, made);
    const difference = { inputTokens: (counts?.promptTokens ?? promptTokens) - promptTokens, outputTokens: made - expected };
    this.#hold.correct(organization, difference, this.#world.now());
  }

  /** As in a gateway, where it waits for the end of a turn: news that come together are taken together. */
  #pump(): void {
    const now = this.#world.now();
    if (now - this.#pumpedMs < PUMP_MS) return;
    this.#pumpedMs = now;
    this.#hold.pump(now);
  }

  #place(request: FleetRequest, exceptNodes: ReadonlySet<string>, waitMsMax: number): boolean {
    const now = this.#world.now();
    const placement = this.#placement(request);
    const { candidates, waitMs } = this.#router.route(placement, this.#able(request, exceptNodes, now), now);
    const [first] = candidates;
    if (first === undefined || waitMs > waitMsMax) return false;
    return this.#dispatch(request, placement, first, exceptNodes, now);
  }

  #placement(request: FleetRequest): Placement {
    const { promptTokens, organization, session, chain, tokensPerBlock } = request;
    const outputTokens = this.#expected.estimate(organization, MODEL, null);
    return { model: MODEL, promptTokens, outputTokens, chain, tokensPerBlock, session: session === '' ? null : session };
  }

  #able({ regions, promptTokens }: FleetRequest, exceptNodes: ReadonlySet<string>, now: number): Replica[] {
    const may = this.#fleet
      .serving(MODEL)
      .filter(
        ({ identity }) =>
          (regions === null || regions.includes(identity.region)) && !exceptNodes.has(identity.node) && identity.contextTokens >= promptTokens,
      );
    return eligible(may, now, this.#options.health);
  }

  #dispatch(request: FleetRequest, placement: Placement, candidate: Candidate<Replica>, tried: ReadonlySet<string>, now: number): boolean {
    const { replica } = candidate;
    const permit = replica.enter(now);
    const attempt = permit === null ? null : this.#world.dispatch(request, replica.identity.id);
    if (permit === null || attempt === null) {
      permit?.end('ignored', now);
      return false;
    }
    const nodes = new Set([...tried, replica.identity.node]);
    this.#tried.set(attempt, { permit, routed: this.#router.sent(placement, candidate, attempt.mark, now), nodes });
    return true;
  }
}

export function meridian(options: MeridianOptions): MindFactory {
  return {
    name: 'meridian',
    about: 'Predicted cost in milliseconds, with mirrored caches and a fair queue at the edge.',
    make: (world) => new MeridianMind(world, options),
  };
}
