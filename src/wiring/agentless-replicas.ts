import { isDeepStrictEqual } from 'node:util';
import type { GatewayConfig } from '../config/index.ts';
import type { Cancel, Clock, Logger, Rng } from '../core/index.ts';
import { AgentlessReplica } from '../gateway/index.ts';
import type { Fleet } from '../health/index.ts';
import type { PrefixSink } from '../prefix/index.ts';
import { pacePrior, replicaHealth } from './replica-options.ts';

interface AgentlessWorld {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  readonly prefixes: PrefixSink;
  readonly fleet: Fleet;
}

type Options = ConstructorParameters<typeof AgentlessReplica>[0];
type Bounds = Omit<ConstructorParameters<typeof AgentlessReplica>[1], 'health' | 'pace'>;

/** What a replica is made from, and cannot change. */
interface Made {
  readonly options: Options;
  readonly bounds: Bounds;
}

interface Running extends Made {
  readonly agentless: AgentlessReplica;
  /** What comes in its place, once that is ready. */
  successor: (Made & { readonly agentless: AgentlessReplica; readonly cancel: Cancel }) | null;
}

const EVENT_BYTES_MAX = 1 << 20;
const LOOK_MS = 50;
/** A successor that is not ready by then takes its place all the same. */
const SUCCESSOR_MS_MAX = 30_000;

/** The replicas that the configuration names by URL. */
export class AgentlessReplicas {
  readonly #world: AgentlessWorld;
  readonly #running = new Map<string, Running>();
  /** Out of the fleet, with requests under way. */
  readonly #retired = new Map<AgentlessReplica, Cancel>();

  constructor(config: GatewayConfig, world: AgentlessWorld) {
    this.#world = world;
    this.take(config);
  }

  /** Goes by another list: what is new serves once it is ready, what is gone finishes what it has, and what is changed is replaced without a moment in which neither serves. */
  take(config: GatewayConfig): void {
    const wanted = new Map(config.replicas.map((replica) => [replica.id, madeFrom(replica, config)]));
    for (const [id, running] of this.#running) if (!wanted.has(id)) this.#remove(id, running, config);
    for (const [id, made] of wanted) {
      const running = this.#running.get(id);
      if (running === undefined) this.#add(id, made, config);
      else this.#change(id, running, made, config);
    }
  }

  async close(): Promise<void> {
    for (const cancel of this.#retired.values()) cancel();
    const successors = [...this.#running.values()].flatMap(({ successor }) => successor ?? []);
    for (const { cancel } of successors) cancel();
    await Promise.all([...this.#running.values(), ...successors].map(({ agentless }) => agentless.close()));
    await Promise.all([...this.#retired.keys()].map((agentless) => agentless.close()));
  }

  #make({ options, bounds }: Made, config: GatewayConfig): AgentlessReplica {
    return new AgentlessReplica(options, { ...bounds, health: replicaHealth(config), pace: pacePrior(config) }, this.#world);
  }

  #add(id: string, made: Made, config: GatewayConfig): void {
    const agentless = this.#make(made, config);
    this.#running.set(id, { ...made, agentless, successor: null });
    this.#world.fleet.add(agentless.replica);
  }

  #remove(id: string, running: Running, config: GatewayConfig): void {
    this.#dropSuccessor(running);
    this.#running.delete(id);
    this.#world.fleet.remove(id);
    this.#world.prefixes.remove(id);
    this.#retire(running.agentless, config);
  }

  #change(id: string, running: Running, made: Made, config: GatewayConfig): void {
    const { successor } = running;
    if (successor !== null && isSame(successor, made)) return successor.agentless.replica.reconfigure(replicaHealth(config));
    this.#dropSuccessor(running);
    if (isSame(running, made)) return;
    const { clock } = this.#world;
    const agentless = this.#make(made, config);
    const untilMs = clock.now() + SUCCESSOR_MS_MAX;
    const cancel = clock.every(LOOK_MS, () => {
      if (agentless.replica.state !== 'ready' && clock.now() < untilMs) return;
      cancel();
      this.#succeed(id, running, { ...made, agentless, successor: null }, config);
    });
    running.successor = { ...made, agentless, cancel };
  }

  #succeed(id: string, before: Running, after: Running, config: GatewayConfig): void {
    this.#running.set(id, after);
    // Its cache is empty, or another engine's.
    this.#world.prefixes.remove(id);
    this.#world.fleet.add(after.agentless.replica);
    this.#world.log.info({ replica: id, state: after.agentless.replica.state }, 'a replica is gone by its new configuration');
    this.#retire(before.agentless, config);
  }

  #dropSuccessor(running: Running): void {
    const { successor } = running;
    running.successor = null;
    if (successor === null) return;
    successor.cancel();
    this.#close(successor.agentless);
  }

  /** What it has may finish, within the time that a gateway that is drained gives its streams. */
  #retire(agentless: AgentlessReplica, config: GatewayConfig): void {
    const { clock } = this.#world;
    agentless.retire();
    const untilMs = clock.now() + config.drain.streamsMs;
    const cancel = clock.every(LOOK_MS, () => {
      if (agentless.replica.inFlight > 0 && clock.now() < untilMs) return;
      cancel();
      this.#retired.delete(agentless);
      this.#close(agentless);
    });
    this.#retired.set(agentless, cancel);
  }

  #close(agentless: AgentlessReplica): void {
    agentless.close().catch((error: unknown) => this.#world.log.warn({ replica: agentless.replica.identity.id, error }, 'a replica that is gone was not closed well'));
  }
}

function madeFrom(replica: GatewayConfig['replicas'][number], { timeouts, limits, models }: GatewayConfig): Made {
  const contextTokens = replica.contextTokens ?? Math.min(...replica.models.map((name) => models[name]?.contextTokens ?? 0));
  const answer = { eventBytesMax: EVENT_BYTES_MAX, answerBytesMax: limits.answerBytesMax };
  return { options: { ...replica, contextTokens }, bounds: { connectMs: timeouts.connectMs, attemptsMax: limits.inFlightMax, answer } };
}

function isSame(one: Made, other: Made): boolean {
  return isDeepStrictEqual([one.options, one.bounds], [other.options, other.bounds]);
}
