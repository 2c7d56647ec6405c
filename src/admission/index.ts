export { EdgeHold, type EdgeHoldOptions, type Holdable } from './edge-hold.ts';
export { FairQueue, type FairRequest } from './fair-queue.ts';
export { InFlightLimit, type InFlightPermit } from './in-flight-limit.ts';
export { Overload, type OverloadOptions } from './overload.ts';
export { HedgeBudget } from './hedge-budget.ts';
export { hasLimit, type LimitAnswer, type LimitedScope, type Limiter, type LimitName, type LimitStanding, type LimitView, type RatePermit } from './limiter.ts';
export { RateLimiter } from './rate-limiter.ts';
export { RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';
export type { TokenCost } from './service-shares.ts';
