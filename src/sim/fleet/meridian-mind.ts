import { EdgeHold, HedgeBudget, RetryBudget, type Holdable } from '../../admission/index.ts';
import { ExpectedOutput, Router, type Candidate, type Placement, type RoutedAttempt } from '../../balancer/index.ts';
import type { Rng } from '../../core/index.ts';
import { eligible, Fleet, PACE_PRIOR, Patience, Replica, type AttemptPermit } from '../../health/index.ts';
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
import type { MeridianOptions } from './meridian-options.ts';

const MODEL = 'model';
const OUTPUT_KEYS_MAX = 10_000;
const PUMP_MS = 10;
/** A real gateway looks every 100 ms; here that would be most of the work. */
const WATCH_MS = 500;

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
  /** Those that were tried for this part of the answer, this one included. */
  readonly nodes: ReadonlySet<string>;
  readonly placement: Placement;
  /** When a token last came, once one did. */
  heardMs: number | null;
  delivered: number;
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
  readonly #retries: RetryBudget;
  readonly #hedges: HedgeBudget;
  readonly #patience: Patience;
  readonly #tried = new Map<FleetAttempt, Tried>();
  /** The attempts of each request that are under way. */
  readonly #underWay = new Map<FleetRequest, FleetAttempt[]>();
  #pumpedMs = 0;
  #watchedMs = 0;

  constructor(world: GatewayWorld, options: MeridianOptions) {
    this.#world = world;
    this.#options = options;
    this.#rng = { next: () => world.rng() };
    this.#hold = new EdgeHold(options.hold);
    this.#retries = new RetryBudget(options.retryBudget);
    this.#hedges = new HedgeBudget(options.hedgeShare);
    this.#patience = new Patience(options.patience);
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
    this.#retries.began(this.#world.now());
    this.#hedges.earn();
    this.#hold.arrive(this.#holdable(request, new Set(), ''), this.#world.now());
  }

  firstToken(attempt: FleetAttempt): void {
    const tried = this.#tried.get(attempt);
    if (tried === undefined) return;
    const now = this.#world.now();
    tried.heardMs = now;
    tried.permit.progressed(now);
    tried.routed.began(now, true);
    if (tried.nodes.size === 1) this.#patience.saw(tried.placement.promptTokens, now - attempt.sentMs);
    for (const other of this.#siblings(attempt)) this.#giveUp(other, 'ignored');
    this.#pump();
  }

  ended(attempt: FleetAttempt, outcome: FleetOutcome, isAnswering: boolean): void {
    const tried = this.#over(attempt, outcome.kind === 'completed' ? 'success' : 'failure', outcome.counts);
    if (tried === null) return;
    if (outcome.kind === 'completed') this.#learn(attempt.request, outcome);
    else this.#goOn(attempt, tried, outcome.reason, isAnswering);
    this.#pump();
  }

  tick(): void {
    const now = this.#world.now();
    this.#hold.expire(now);
    if (now - this.#watchedMs >= WATCH_MS) {
      this.#watchedMs = now;
      for (const [attempt, tried] of this.#tried) this.#watch(attempt, tried, now);
    }
    this.#pump();
  }

  leftovers(): { readonly waiting: number; readonly inFlight: number } {
    return { waiting: this.#hold.waiting, inFlight: this.#fleet.all().reduce((sum, { inFlight }) => sum + inFlight, this.#tried.size) };
  }

  /** What a gateway's sweep does: late first tokens are hedged or given up, and streams that stall go on elsewhere. */
  #watch(attempt: FleetAttempt, tried: Tried, now: number): void {
    const { promptTokens } = tried.placement;
    const waitedMs = now - attempt.sentMs;
    if (tried.heardMs === null) {
      const hedgeMs = this.#patience.hedgeAfterMs(promptTokens);
      if (waitedMs > this.#patience.firstTokenMs(promptTokens, tried.routed.candidate.ttftMs)) this.#fail(attempt, tried, 'no token came in time');
      else if (hedgeMs !== null && waitedMs > hedgeMs && tried.nodes.size === 1) this.#hedge(attempt, tried, hedgeMs);
      return;
    }
    const delivered = this.#world.delivered(attempt);
    if (delivered > tried.delivered) {
      tried.delivered = delivered;
      tried.heardMs = now;
      tried.routed.candidate.replica.heard(now);
    } else if (now - tried.heardMs > this.#options.stallMs) this.#fail(attempt, tried, 'the engine stalled');
  }

  #hedge(attempt: FleetAttempt, tried: Tried, withinMs: number): void {
    if (this.#siblings(attempt).length > 0 || !this.#patience.isCalm(MODEL, this.#fleet, this.#world.now()) || !this.#hedges.canSpend()) return;
    if (this.#place(attempt.request, tried.nodes, Infinity, attempt.resumedTokens, withinMs)) this.#hedges.trySpend();
  }

  /** Other attempts of the same request under way. */
  #siblings(attempt: FleetAttempt): FleetAttempt[] {
    return (this.#underWay.get(attempt.request) ?? []).filter((other) => other !== attempt);
  }

  #fail(attempt: FleetAttempt, tried: Tried, reason: string): void {
    this.#giveUp(attempt, 'failure');
    this.#goOn(attempt, tried, reason, tried.heardMs !== null);
  }

  #giveUp(attempt: FleetAttempt, verdict: 'failure' | 'ignored'): void {
    this.#world.cancel(attempt);
    this.#over(attempt, verdict, null);
  }

  #over(attempt: FleetAttempt, verdict: 'success' | 'failure' | 'ignored', counts: FleetOutcome['counts']): Tried | null {
    const tried = this.#tried.get(attempt);
    if (tried === undefined) return null;
    this.#tried.delete(attempt);
    const left = this.#siblings(attempt);
    if (left.length === 0) this.#underWay.delete(attempt.request);
    else this.#underWay.set(attempt.request, left);
    tried.permit.end(verdict, this.#world.now());
    tried.routed.ended(counts);
    return tried;
  }

  /** After a failure: a request that has part of its answer goes on elsewhere, once, and at once; another one is tried again. */
  #goOn(attempt: FleetAttempt, { nodes }: Tried, reason: string, isAnswering: boolean): void {
    if (this.#siblings(attempt).length > 0) return;
    const { request, replicaId, resumedTokens } = attempt;
    if (!isAnswering) return this.#retry(request, nodes, reason, resumedTokens);
    const node = this.#fleet.get(replicaId)?.identity.node ?? replicaId;
    const isResumed = resumedTokens === 0 && this.#place(request, new Set([node]), Infinity, this.#world.delivered(attempt));
    if (!isResumed) this.#world.fail(request, reason);
  }

  #retry(request: FleetRequest, nodes: ReadonlySet<string>, reason: string, resumedTokens: number): void {
    if (nodes.size >= this.#options.attemptsMax || !this.#retries.trySpend(this.#world.now())) return this.#world.fail(request, reason);
    if (this.#place(request, nodes, Infinity, resumedTokens)) return;
    if (resumedTokens > 0) this.#world.fail(request, reason);
    else this.#hold.arrive(this.#holdable(request, nodes, reason), this.#world.now());
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

  #place(request: FleetRequest, exceptNodes: ReadonlySet<string>, waitMsMax: number, resumedTokens = 0, ttftMsMax = Infinity): boolean {
    const now = this.#world.now();
    const placement = this.#placement(request, resumedTokens);
    const { candidates, waitMs } = this.#router.route(placement, this.#able(request, exceptNodes, now), now);
    const [first] = candidates;
    if (first === undefined || waitMs > waitMsMax || first.ttftMs > ttftMsMax) return false;
    return this.#dispatch(request, placement, first, exceptNodes, resumedTokens);
  }

  #placement(request: FleetRequest, resumedTokens: number): Placement {
    const { organization, session, chain, tokensPerBlock } = request;
    const promptTokens = request.promptTokens + resumedTokens;
    const outputTokens = Math.max(1, this.#expected.estimate(organization, MODEL, null) - resumedTokens);
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

  #dispatch(request: FleetRequest, placement: Placement, candidate: Candidate<Replica>, tried: ReadonlySet<string>, resumedTokens: number): boolean {
    const { replica } = candidate;
    const now = this.#world.now();
    const permit = replica.enter(now, candidate.ttftMs);
    const attempt = permit === null ? null : this.#world.dispatch(request, replica.identity.id, resumedTokens);
    if (permit === null || attempt === null) {
      permit?.end('ignored', now);
      return false;
    }
    const nodes = new Set([...tried, replica.identity.node]);
    const routed = this.#router.sent(placement, candidate, attempt.mark, now);
    this.#tried.set(attempt, { permit, routed, nodes, placement, heardMs: null, delivered: resumedTokens });
    this.#underWay.set(request, [...(this.#underWay.get(request) ?? []), attempt]);
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
