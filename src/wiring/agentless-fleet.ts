import type { GatewayConfig } from '../config/index.ts';
import { wait, type Clock, type Logger, type Rng } from '../core/index.ts';
import { AgentlessReplica } from '../gateway/index.ts';
import type { Fleet } from '../health/index.ts';
import type { PrefixSink } from '../prefix/index.ts';
import { pacePrior, replicaHealth } from './replica-options.ts';

type ReplicaConfig = GatewayConfig['replicas'][number];

interface World {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  readonly prefixes: PrefixSink;
}

const EVENT_BYTES_MAX = 1 << 20;
const LEAVING_STEP_MS = 100;

/** The engines that the configuration names by URL. */
export class AgentlessFleet {
  readonly #fleet: Fleet;
  readonly #world: World;
  readonly #replicas = new Map<string, { readonly config: ReplicaConfig; readonly agentless: AgentlessReplica }>();
  readonly #leaving = new Set<AgentlessReplica>();

  constructor(fleet: Fleet, world: World) {
    this.#fleet = fleet;
    this.#world = world;
  }

  /** Those that are new, or are said otherwise, begin; those that are not there any more finish what they have. */
  replace(config: GatewayConfig): void {
    const wanted = new Map(config.replicas.map((replica) => [replica.id, replica]));
    for (const [id, { config: before }] of this.#replicas) if (JSON.stringify(wanted.get(id)) !== JSON.stringify(before)) this.#leave(id, config.drain.streamsMs);
    for (const [id, replica] of wanted) if (!this.#replicas.has(id)) this.#begin(replica, config);
  }

  async close(): Promise<void> {
    await Promise.all([...[...this.#replicas.values()].map(({ agentless }) => agentless), ...this.#leaving].map((agentless) => agentless.close()));
  }

  #begin(replica: ReplicaConfig, config: GatewayConfig): void {
    const { timeouts, limits, models } = config;
    const contextTokens = replica.contextTokens ?? Math.min(...replica.models.map((name) => models[name]?.contextTokens ?? 0));
    const answer = { eventBytesMax: EVENT_BYTES_MAX, answerBytesMax: limits.answerBytesMax };
    const bounds = { connectMs: timeouts.connectMs, attemptsMax: limits.inFlightMax, answer, health: replicaHealth(config), pace: pacePrior(config) };
    const agentless = new AgentlessReplica({ ...replica, contextTokens }, bounds, this.#world);
    this.#replicas.set(replica.id, { config: replica, agentless });
    this.#fleet.add(agentless.replica);
  }

  #leave(id: string, streamsMs: number): void {
    const agentless = this.#replicas.get(id)?.agentless;
    this.#replicas.delete(id);
    this.#fleet.remove(id);
    if (agentless !== undefined) void this.#finish(agentless, streamsMs);
  }

  async #finish(agentless: AgentlessReplica, streamsMs: number): Promise<void> {
    const { clock } = this.#world;
    this.#leaving.add(agentless);
    const untilMs = clock.now() + streamsMs;
    while (agentless.replica.inFlight > 0 && clock.now() < untilMs) await wait(clock, LEAVING_STEP_MS);
    this.#leaving.delete(agentless);
    await agentless.close();
  }
}
