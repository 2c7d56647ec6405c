import { EngineModel } from '../engine-model.ts';
import type { EngineRun } from '../engine-run.ts';
import type { EventQueue } from './event-queue.ts';
import type { FleetPlan } from './fleet-plan.ts';
import type { FleetAttempt, FleetLoad, FleetOutcome, FleetReplica } from './gateway-mind.ts';

const NO_WORDS = new Uint32Array(0);

/** What a node tells one gateway, at the moment of sending. */
export interface NodeListener {
  load(load: FleetLoad, seenMark: number): void;
  prefix(stored: Uint32Array, evicted: Uint32Array): void;
  cleared(): void;
  firstToken(attempt: FleetAttempt): void;
  ended(attempt: FleetAttempt, outcome: FleetOutcome): void;
}

interface LinkedGateway {
  readonly listener: NodeListener;
  seenMark: number;
}

interface Running {
  readonly attempt: FleetAttempt;
  readonly gateway: LinkedGateway;
}

/** One node with one engine: moves the engine's model on from event to event, and tells its gateways of it. */
export class SimNode {
  readonly replica: FleetReplica;
  readonly #plan: FleetPlan;
  readonly #events: EventQueue;
  readonly #gateways = new Map<object, LinkedGateway>();
  readonly #running = new Map<EngineRun, Running>();
  readonly #runs = new Map<FleetAttempt, EngineRun>();
  /** What the cache holds, and how that differs from what was told. */
  readonly #held = new Set<number>();
  readonly #stored = new Set<number>();
  readonly #evicted = new Set<number>();
  #engine: EngineModel;
  #isUp = true;
  #isFrozen = false;
  #wakeAtMs = Infinity;
  #seq = 0;
  #reportedAtMs = -Infinity;
  #isReportDue = false;
  #isPrefixDue = false;
  #rid = 0;
  #isStalled = false;
  /** Arrived while it was stalled. */
  #unread: (() => void)[] = [];
  /** Tokens that each attempt had made when it ended. */
  readonly #made = new WeakMap<FleetAttempt, number>();

  constructor(replica: FleetReplica, plan: FleetPlan, events: EventQueue) {
    this.replica = replica;
    this.#plan = plan;
    this.#events = events;
    this.#engine = this.#newEngine();
    this.#heartbeat();
  }

  get engine(): EngineModel {
    return this.#engine;
  }

  /** Multiplies the time of the engine's steps. */
  slow(factor: number): void {
    this.#engine.slowdown = factor;
  }

  /** Reports stop, while the engine goes on. */
  freeze(isFrozen: boolean): void {
    this.#isFrozen = isFrozen;
  }

  /** The engine makes nothing more, and its node goes on answering; or it goes on where it was. */
  stall(isStalled: boolean): void {
    if (isStalled) this.#advance();
    this.#isStalled = isStalled;
    if (isStalled) return;
    for (const read of this.#unread.splice(0)) read();
    this.#advance();
    this.#changed();
  }

  /** Tokens that an attempt has made so far. */
  made(attempt: FleetAttempt): number {
    const made = this.#made.get(attempt);
    if (made !== undefined) return made;
    this.#advance();
    const run = this.#runs.get(attempt);
    return run === undefined ? (this.#made.get(attempt) ?? 0) : this.#engine.produced(run);
  }

  /** A gateway gives an attempt up. */
  cancel(attempt: FleetAttempt): void {
    if (!this.#isUp) return;
    this.#advance();
    const run = this.#runs.get(attempt);
    const running = run === undefined ? undefined : this.#running.get(run);
    if (run === undefined || running === undefined) return;
    this.#stop(run, running);
    this.#changed();
  }

  /** The node dies with everything it was doing; nobody is told. */
  kill(): void {
    this.#advance();
    for (const [run, { attempt }] of this.#running) this.#made.set(attempt, this.#engine.produced(run));
    this.#isUp = false;
    this.#isStalled = false;
    this.#unread = [];
    this.#running.clear();
    this.#runs.clear();
    this.#held.clear();
    this.#stored.clear();
    this.#evicted.clear();
    this.#gateways.clear();
    this.#wakeAtMs = Infinity;
  }

  /** It comes back with an empty engine. */
  restart(): void {
    this.#isUp = true;
    this.#engine = this.#newEngine();
  }

  /** A gateway's link is up: it hears of everything from now on. */
  link(gateway: object, listener: NodeListener): void {
    this.#gateways.set(gateway, { listener, seenMark: 0 });
    listener.cleared();
    if (this.#held.size > 0) listener.prefix(wordsOf(this.#held), NO_WORDS);
    this.#report();
  }

  /** The link is gone: what it had asked for is stopped. */
  unlink(gateway: object): void {
    const linked = this.#gateways.get(gateway);
    if (linked === undefined) return;
    this.#gateways.delete(gateway);
    this.#advance();
    for (const [run, running] of this.#running) {
      if (running.gateway === linked) this.#stop(run, running);
    }
    this.#changed();
  }

  /** An attempt arrives over the link of `gateway`. */
  submit(gateway: object, attempt: FleetAttempt): void {
    if (this.#isStalled) return void this.#unread.push(() => this.submit(gateway, attempt));
    const linked = this.#gateways.get(gateway);
    if (!this.#isUp || linked === undefined) return;
    linked.seenMark = attempt.mark;
    this.#advance();
    const { request } = attempt;
    const keys = pageKeysOf(request.chain);
    this.#rid += 1;
    const submission = this.#engine.submit(
      {
        rid: `${this.#rid}.`,
        promptTokens: request.promptTokens + attempt.resumedTokens,
        outputTokens: Math.max(1, request.outputTokens - attempt.resumedTokens),
        pageKeys: keys,
        answerPageKeys: (tokens) => pageKeysOf(request.answeredChain.subarray(0, 2 * Math.floor(tokens / request.tokensPerBlock))),
      },
      this.#events.nowMs,
    );
    if (submission.kind !== 'accepted') linked.listener.ended(attempt, { kind: 'failed', reason: submission.kind, counts: null });
    else {
      this.#running.set(submission.run, { attempt, gateway: linked });
      this.#runs.set(attempt, submission.run);
    }
    this.#changed();
  }

  #stop(run: EngineRun, { attempt }: Running): void {
    this.#made.set(attempt, this.#engine.produced(run));
    this.#running.delete(run);
    this.#runs.delete(attempt);
    this.#engine.abortRun(run);
  }

  #newEngine(): EngineModel {
    return new EngineModel(this.#plan.engine, {
      stored: (key) => {
        this.#held.add(key);
        this.#note(this.#stored, this.#evicted, key);
      },
      evicted: (key) => {
        this.#held.delete(key);
        this.#note(this.#evicted, this.#stored, key);
      },
    });
  }

  /** A block that comes and goes within one message is in none. */
  #note(to: Set<number>, from: Set<number>, key: number): void {
    if (!from.delete(key)) to.add(key);
    if (this.#isPrefixDue) return;
    this.#isPrefixDue = true;
    this.#events.after(this.#plan.prefixMs, () => this.#sendPrefix());
  }

  #sendPrefix(): void {
    this.#isPrefixDue = false;
    if (this.#stored.size === 0 && this.#evicted.size === 0) return;
    const stored = wordsOf(this.#stored);
    const evicted = wordsOf(this.#evicted);
    this.#stored.clear();
    this.#evicted.clear();
    for (const { listener } of this.#gateways.values()) listener.prefix(stored, evicted);
  }

  #advance(): void {
    if (this.#isStalled) return;
    const finished = this.#engine.advance(this.#events.nowMs, (run) => {
      const running = this.#running.get(run);
      running?.gateway.listener.firstToken(running.attempt);
    });
    for (const run of finished) this.#finish(run);
  }

  #finish(run: EngineRun): void {
    const running = this.#running.get(run);
    if (running === undefined) return;
    this.#running.delete(run);
    this.#runs.delete(running.attempt);
    this.#made.set(running.attempt, run.job.outputTokens);
    const counts = { promptTokens: run.job.promptTokens, cachedTokens: run.cachedTokens, completionTokens: run.job.outputTokens };
    running.gateway.listener.ended(running.attempt, { kind: 'completed', reason: '', counts });
  }

  /** Something in the engine changed: look again at its next milestone, and report. */
  #changed(): void {
    if (this.#isStalled) return;
    const next = this.#engine.nextMilestoneAtMs();
    if (next !== this.#wakeAtMs) {
      this.#wakeAtMs = next;
      if (next < Infinity) this.#events.at(next, () => this.#wake(next));
    }
    if (this.#isReportDue) return;
    const dueMs = this.#reportedAtMs + this.#plan.loadMinMs;
    if (dueMs <= this.#events.nowMs) return this.#report();
    this.#isReportDue = true;
    this.#events.at(dueMs, () => this.#report());
  }

  /** An event that a later change has made void does nothing. */
  #wake(atMs: number): void {
    if (!this.#isUp || this.#wakeAtMs !== atMs) return;
    this.#wakeAtMs = Infinity;
    this.#advance();
    this.#changed();
  }

  #heartbeat(): void {
    if (this.#isUp && this.#events.nowMs - this.#reportedAtMs >= this.#plan.loadMaxMs) this.#report();
    this.#events.after(this.#plan.loadMaxMs, () => this.#heartbeat());
  }

  #report(): void {
    this.#isReportDue = false;
    if (!this.#isUp || this.#isFrozen || this.#isStalled || this.#gateways.size === 0) return;
    this.#advance();
    this.#reportedAtMs = this.#events.nowMs;
    this.#seq += 1;
    const { runningRequests, waitingRequests, waitingUncachedTokens, usedTokens, maxTokens, tokensPerSecond } = this.#engine.load();
    const load: FleetLoad = {
      seq: this.#seq,
      ageMs: this.#plan.telemetryDelayMs,
      running: runningRequests,
      queued: waitingRequests,
      queuedUncachedTokens: waitingUncachedTokens,
      kvTokensUsed: usedTokens,
      kvTokens: maxTokens,
      prefillTokensPerS: null,
      decodeTokensPerS: tokensPerSecond,
    };
    for (const { listener, seenMark } of this.#gateways.values()) listener.load(load, seenMark);
  }
}

/** The engine's page keys of a chain: 53 bits of each block's hash. */
function pageKeysOf(chain: Uint32Array): number[] {
  const keys: number[] = [];
  for (let i = 0; i + 1 < chain.length; i += 2) keys.push((chain[i + 1] ?? 0) * 0x1_0000_0000 + (chain[i] ?? 0));
  return keys;
}

function wordsOf(keys: ReadonlySet<number>): Uint32Array {
  const words = new Uint32Array(keys.size * 2);
  let at = 0;
  for (const key of keys) {
    words[at] = key >>> 0;
    words[at + 1] = Math.floor(key / 0x1_0000_0000);
    at += 2;
  }
  return words;
}
