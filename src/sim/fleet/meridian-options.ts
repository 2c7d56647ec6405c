import type { EdgeHoldOptions, RetryBudget } from '../../admission/index.ts';
import type { RouterOptions } from '../../balancer/index.ts';
import type { EligibleOptions, Patience, ReplicaHealthOptions } from '../../health/index.ts';

/** What the decisions of a simulated gateway go by. */
export interface MeridianOptions {
  readonly router: Omit<RouterOptions, 'homeRegion'>;
  readonly hold: EdgeHoldOptions;
  readonly health: ReplicaHealthOptions & EligibleOptions;
  readonly attemptsMax: number;
  readonly retryBudget: ConstructorParameters<typeof RetryBudget>[0];
  readonly patience: ConstructorParameters<typeof Patience>[0];
  readonly hedgeShare: number;
  readonly stallMs: number;
}

/** The sections of a gateway's configuration that say how it decides. */
interface Sections {
  readonly admission: MeridianOptions['hold'];
  readonly balancer: MeridianOptions['router'];
  readonly breaker: MeridianOptions['health']['breaker'];
  readonly health: Omit<MeridianOptions['health'], 'breaker'>;
  readonly hedge: MeridianOptions['patience']['hedge'] & { readonly share: number };
  readonly retries: { readonly attemptsMax: number; readonly budgetShare: number; readonly budgetWindowMs: number; readonly budgetReserve: number };
  readonly timeouts: Omit<MeridianOptions['patience'], 'hedge'> & { readonly stallMs: number };
}

/** What a simulated gateway goes by, from the configuration of a real one. */
export function meridianOptions({ admission, balancer, breaker, health, hedge, retries, timeouts }: Sections): MeridianOptions {
  return {
    router: balancer,
    hold: admission,
    health: { breaker, ...health },
    attemptsMax: retries.attemptsMax,
    retryBudget: { share: retries.budgetShare, windowMs: retries.budgetWindowMs, reserve: retries.budgetReserve },
    patience: { ...timeouts, hedge },
    hedgeShare: hedge.share,
    stallMs: timeouts.stallMs,
  };
}
