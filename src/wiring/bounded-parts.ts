import { HedgeBudget, InFlightLimit, RetryBudget, type RetryBudgetOptions } from '../admission/index.ts';
import { Router, TokenRatio, type RouterOptions } from '../balancer/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { Clock, Rng } from '../core/index.ts';
import { WaitingRoom, type GatewayDeps } from '../gateway/index.ts';
import { Patience, type PatienceOptions } from '../health/index.ts';
import type { Teardown } from './teardown.ts';
import { watchOverload } from './watch-overload.ts';

/** What decides by bounds of the configuration, and remembers something on the way. */
export type BoundedParts = Pick<GatewayDeps, 'router' | 'waitingRoom' | 'inFlight' | 'overload' | 'tokenRatio' | 'patience' | 'hedges' | 'retries'>;

export function openBoundedParts(config: GatewayConfig, { clock, rng }: { readonly clock: Clock; readonly rng: Rng }, teardown: Teardown): BoundedParts {
  return {
    router: new Router(routerOptions(config), rng),
    waitingRoom: new WaitingRoom(config.admission, clock),
    inFlight: new InFlightLimit(config.limits.inFlightMax),
    overload: watchOverload(config.overload, clock, teardown),
    tokenRatio: new TokenRatio(firstRatios(config)),
    patience: new Patience(patienceOptions(config)),
    hedges: new HedgeBudget(config.hedge.share),
    retries: new RetryBudget(retryOptions(config)),
  };
}

/** From now on they decide by these bounds; what they remember stays. */
export function reconfigureParts(parts: BoundedParts, config: GatewayConfig): void {
  parts.router.reconfigure(routerOptions(config));
  parts.waitingRoom.reconfigure(config.admission);
  parts.inFlight.reconfigure(config.limits.inFlightMax);
  parts.overload.reconfigure(config.overload);
  parts.tokenRatio.reconfigure(firstRatios(config));
  parts.patience.reconfigure(patienceOptions(config));
  parts.hedges.reconfigure(config.hedge.share);
  parts.retries.reconfigure(retryOptions(config));
}

function routerOptions({ balancer, gateway }: GatewayConfig): RouterOptions {
  return { ...balancer, homeRegion: gateway.region };
}

function firstRatios({ models }: GatewayConfig): [model: string, bytesPerToken: number][] {
  return Object.entries(models).map(([name, { bytesPerToken }]) => [name, bytesPerToken]);
}

function patienceOptions({ timeouts, hedge }: GatewayConfig): PatienceOptions {
  return { ...timeouts, hedge };
}

function retryOptions({ retries: { budgetShare, budgetWindowMs, budgetReserve } }: GatewayConfig): RetryBudgetOptions {
  return { share: budgetShare, windowMs: budgetWindowMs, reserve: budgetReserve };
}
