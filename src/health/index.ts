export { Breaker, type BreakerOptions, type BreakerState } from './breaker.ts';
export { DispatchLog } from './dispatch-log.ts';
export { Fleet } from './fleet.ts';
export { Replica, type AttemptPermit, type AttemptVerdict, type ReplicaIdentity, type ReplicaLoad } from './replica.ts';
