import type { PriceDesk } from '../billing/index.ts';
import { configChanges, type ConfigChanges, type GatewayConfig } from '../config/index.ts';
import { InTurn, type Clock, type Logger } from '../core/index.ts';
import type { GatewayOptions, ModelAlias, ModelOptions, ReplicaAccess } from '../gateway/index.ts';
import type { AgentlessFleet } from './agentless-fleet.ts';
import { gatewayOptions, modelOptions } from './gateway-options.ts';
import { openPrices } from './open-prices.ts';

/** The parts of a gateway that take on another configuration while it runs. */
export interface LiveParts {
  readonly options: GatewayOptions;
  readonly models: Map<string, ModelOptions>;
  readonly aliases: Map<string, ModelAlias>;
  readonly access: ReplicaAccess;
  readonly agentless: AgentlessFleet;
  readonly priceDesk: PriceDesk;
  /** Tells nodes which other gateways the configuration names. */
  readonly onPeers: (config: GatewayConfig) => void;
}

/** The configuration that a gateway goes by, which may be replaced. */
export class LiveConfig {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #turns = new InTurn();
  #current: GatewayConfig;

  constructor(config: GatewayConfig, { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#current = config;
    this.#clock = clock;
    this.#log = log;
  }

  get current(): GatewayConfig {
    return this.#current;
  }

  /**
   * Takes on what can change in a gateway that runs, and says by its path what needs a restart, which stays as it was. Rejects, and changes
   * nothing, when the prices are faulty.
   */
  reload(next: GatewayConfig, parts: LiveParts): Promise<ConfigChanges> {
    return this.#turns.run(async () => {
      const changes = configChanges(this.#current, next);
      // The file of prices may have other rows under the same name.
      const { rows } = openPrices(next, this.#clock);
      await parts.priceDesk.replaceFile(rows);
      this.#current = next;
      take(parts, next);
      this.#log.info({ applied: changes.live, needsRestart: changes.needsRestart }, 'the configuration was read again');
      return changes;
    });
  }
}

function take(parts: LiveParts, next: GatewayConfig): void {
  Object.assign(parts.options, gatewayOptions(next));
  replaceAll(parts.models, modelOptions(next));
  replaceAll(parts.aliases, new Map(Object.entries(next.aliases)));
  parts.access.replace(next.dedicated);
  parts.agentless.replace(next);
  parts.onPeers(next);
}

function replaceAll<Value>(map: Map<string, Value>, by: ReadonlyMap<string, Value>): void {
  map.clear();
  for (const [name, value] of by) map.set(name, value);
}
