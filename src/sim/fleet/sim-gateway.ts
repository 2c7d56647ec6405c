import type { Rng } from '../../core/index.ts';
import type { EventQueue } from './event-queue.ts';
import type { FleetPlan } from './fleet-plan.ts';
import type { FleetRecord, RequestEnd } from './fleet-record.ts';
import {
  TICK_MS,
  type FleetAttempt,
  type FleetLoad,
  type FleetOutcome,
  type FleetRequest,
  type GatewayMind,
  type GatewayWorld,
  type MindFactory,
} from './gateway-mind.ts';
import type { NodeListener, SimNode } from './sim-node.ts';

/** A link between this gateway and one node; what is on its way when it breaks never arrives. */
interface Link {
  readonly node: SimNode;
  readonly region: string;
  readonly oneWayMs: number;
  readonly open: Set<FleetAttempt>;
  readonly answering: Set<FleetAttempt>;
  mark: number;
  isUp: boolean;
}

/** Network jitter: up to this share is added to each way. */
const JITTER = 0.1;
const PING_MS = 500;

/** One gateway: its links, its mind, and the records of the requests that came to it. */
export class SimGateway implements GatewayWorld {
  readonly region: string;
  readonly #plan: FleetPlan;
  readonly #events: EventQueue;
  readonly #rng: Rng;
  readonly #mind: GatewayMind;
  readonly #links = new Map<string, Link>();
  readonly #records = new Map<FleetRequest, FleetRecord>();
  /** Tokens of attempts whose node may be gone. */
  readonly #lost = new WeakMap<FleetAttempt, number>();
  readonly #onEnd: (record: FleetRecord) => void;

  constructor(region: string, plan: FleetPlan, events: EventQueue, rng: Rng, factory: MindFactory, onEnd: (record: FleetRecord) => void) {
    this.region = region;
    this.#plan = plan;
    this.#events = events;
    this.#rng = rng;
    this.#onEnd = onEnd;
    this.#mind = factory.make(this);
    this.#tick();
  }

  now(): number {
    return this.#events.nowMs;
  }

  rng(): number {
    return this.#rng.next();
  }

  leftovers(): ReturnType<GatewayMind['leftovers']> {
    return this.#mind.leftovers();
  }

  arrive(record: FleetRecord): void {
    this.#records.set(record.request, record);
    this.#mind.arrived(record.request);
  }

  /** The node dials in. */
  link(node: SimNode): void {
    const { replica } = node;
    const roundTripMs = this.#plan.roundTripMs(this.region, replica.region);
    const link: Link = { node, region: replica.region, oneWayMs: roundTripMs / 2, open: new Set(), answering: new Set(), mark: 0, isUp: true };
    this.#links.set(replica.id, link);
    this.#mind.linked(replica);
    this.#mind.roundTrip(replica.id, roundTripMs);
    this.#mind.stateChanged(replica.id, 'ready');
    this.#ping(link);
    node.link(this, this.#listener(link));
  }

  /** The link is given up: what was under way on it has failed. */
  unlink(node: SimNode): void {
    const { id } = node.replica;
    const link = this.#links.get(id);
    if (link === undefined) return;
    link.isUp = false;
    this.#links.delete(id);
    node.unlink(this);
    this.#mind.unlinked(id);
    for (const attempt of link.open) this.#ended(link, attempt, { kind: 'failed', reason: 'the link is down', counts: null });
  }

  dispatch(request: FleetRequest, replicaId: string, resumedTokens = 0): FleetAttempt | null {
    const link = this.#links.get(replicaId);
    const record = this.#records.get(request);
    if (link === undefined || record === undefined) return null;
    link.mark += 1;
    const attempt: FleetAttempt = { request, replicaId, mark: link.mark, sentMs: this.now(), resumedTokens };
    link.open.add(attempt);
    record.attempts += 1;
    this.#events.after(this.#wayMs(link), () => {
      if (link.isUp) link.node.submit(this, attempt);
    });
    return attempt;
  }

  cancel(attempt: FleetAttempt): void {
    const link = this.#links.get(attempt.replicaId);
    if (link === undefined || !link.open.delete(attempt)) return;
    this.#charge(attempt, link, link.answering.delete(attempt));
    this.#events.after(this.#wayMs(link), () => link.node.cancel(attempt));
  }

  delivered(attempt: FleetAttempt): number {
    const link = this.#links.get(attempt.replicaId);
    const made = this.#lost.get(attempt) ?? link?.node.made(attempt) ?? 0;
    // The last one is the mark of the end: who has got that has the whole answer.
    return Math.min(attempt.resumedTokens + made, attempt.request.outputTokens - 1);
  }

  refuse(request: FleetRequest): void {
    this.#close(request, 'refused');
  }

  fail(request: FleetRequest): void {
    this.#close(request, (this.#records.get(request)?.chargedTokens ?? 0) > 0 ? 'cut' : 'failed');
  }

  #listener(link: Link): NodeListener {
    const { id } = link.node.replica;
    const telemetry = (task: () => void): void => this.#deliver(link, this.#plan.telemetryDelayMs, task);
    return {
      load: (load: FleetLoad, seenMark: number) => telemetry(() => this.#mind.load(id, load, seenMark)),
      prefix: (stored, evicted) =>
        telemetry(() => {
          if (stored.length > 0) this.#mind.prefixStored(id, stored);
          if (evicted.length > 0) this.#mind.prefixEvicted(id, evicted);
        }),
      cleared: () => telemetry(() => this.#mind.prefixCleared(id)),
      firstToken: (attempt) => this.#deliver(link, 0, () => this.#began(link, attempt)),
      ended: (attempt, outcome) => this.#deliver(link, 0, () => this.#ended(link, attempt, outcome)),
    };
  }

  #deliver(link: Link, delayMs: number, task: () => void): void {
    this.#events.after(delayMs + link.oneWayMs, () => {
      if (link.isUp) task();
    });
  }

  #began(link: Link, attempt: FleetAttempt): void {
    const record = this.#records.get(attempt.request);
    if (record === undefined || !link.open.has(attempt)) return;
    link.answering.add(attempt);
    record.parts += 1;
    if (attempt.resumedTokens === 0) record.ttftMs = this.now() - attempt.request.arrivalMs;
    record.region = link.region;
    record.replicaId = attempt.replicaId;
    this.#mind.firstToken(attempt);
  }

  #ended(link: Link, attempt: FleetAttempt, outcome: FleetOutcome): void {
    if (!link.open.delete(attempt)) return;
    const isAnswering = link.answering.delete(attempt);
    this.#charge(attempt, link, isAnswering || outcome.kind === 'completed', outcome.kind === 'completed');
    const record = this.#records.get(attempt.request);
    if (outcome.kind === 'completed') {
      if (record !== undefined) {
        record.cachedTokens = outcome.counts?.cachedTokens ?? 0;
        record.completionTokens = attempt.resumedTokens + (outcome.counts?.completionTokens ?? 0);
      }
      this.#close(attempt.request, 'completed');
    }
    this.#mind.ended(attempt, outcome, isAnswering);
    if (isAnswering && record?.end === null && !this.#isUnderWay(attempt.request)) this.#close(attempt.request, 'cut');
  }

  /** One that answered is charged what it made; its prompt only if it began the answer. */
  #charge(attempt: FleetAttempt, link: Link, isCharged: boolean, isWhole = false): void {
    const record = this.#records.get(attempt.request);
    const made = link.node.made(attempt);
    this.#lost.set(attempt, made);
    if (record === undefined || !isCharged) return;
    record.chargedTokens += isWhole ? made : this.delivered(attempt) - attempt.resumedTokens;
    if (attempt.resumedTokens === 0) record.chargedPrompts += 1;
  }

  #isUnderWay(request: FleetRequest): boolean {
    for (const { open } of this.#links.values()) for (const attempt of open) if (attempt.request === request) return true;
    return false;
  }

  #close(request: FleetRequest, end: RequestEnd): void {
    const record = this.#records.get(request);
    if (record === undefined) throw new Error(`request ${request.index} ended twice`);
    this.#records.delete(request);
    record.end = end;
    record.endedMs = this.now();
    this.#onEnd(record);
  }

  #wayMs(link: Link): number {
    return link.oneWayMs * (1 + JITTER * this.#rng.next());
  }

  #ping(link: Link): void {
    if (!link.isUp) return;
    this.#mind.roundTrip(link.node.replica.id, 2 * this.#wayMs(link));
    this.#events.after(PING_MS, () => this.#ping(link));
  }

  #tick(): void {
    this.#mind.tick();
    this.#events.after(TICK_MS, () => this.#tick());
  }
}
