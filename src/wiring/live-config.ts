import type { GatewayConfig } from '../config/index.ts';
import { ReplicaAccess, type GatewayDeps } from '../gateway/index.ts';
import { gatewayOptions, modelOptions } from './gateway-options.ts';

type Values = Pick<GatewayDeps, 'options' | 'models' | 'aliases' | 'access'>;

/** The configuration that is gone by now, and what requests read of it. It is replaced whole, so that nobody sees half of a new one. */
export class LiveConfig implements Values {
  #config: GatewayConfig;
  #values: Values;

  constructor(config: GatewayConfig) {
    this.#config = config;
    this.#values = valuesOf(config);
  }

  get config(): GatewayConfig {
    return this.#config;
  }

  get options(): Values['options'] {
    return this.#values.options;
  }

  get models(): Values['models'] {
    return this.#values.models;
  }

  get aliases(): Values['aliases'] {
    return this.#values.aliases;
  }

  get access(): Values['access'] {
    return this.#values.access;
  }

  replace(config: GatewayConfig): void {
    this.#config = config;
    this.#values = valuesOf(config);
  }
}

function valuesOf(config: GatewayConfig): Values {
  return {
    options: gatewayOptions(config),
    models: modelOptions(config),
    aliases: new Map(Object.entries(config.aliases)),
    access: new ReplicaAccess(config.dedicated),
  };
}
