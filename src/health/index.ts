export { Backlog } from './backlog.ts';
export { Breaker, type BreakerOptions, type BreakerPass } from './breaker.ts';
export { CacheTrust } from './cache-trust.ts';
export { eligible, type EligibleOptions } from './eligible.ts';
export { FailureRate } from './failure-rate.ts';
export { Fleet } from './fleet.ts';
export { LinearFit } from './linear-fit.ts';
export { Pace, PACE_PRIOR, type PacePrior } from './pace.ts';
export { Replica, type AttemptPermit, type AttemptVerdict, type ReplicaHealthOptions, type ReplicaIdentity, type ReplicaLoad } from './replica.ts';
