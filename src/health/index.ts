export { Breaker, type BreakerOptions, type BreakerPass } from './breaker.ts';
export { DispatchLog } from './dispatch-log.ts';
export { Fleet } from './fleet.ts';
export { Replica, type AttemptPermit, type AttemptVerdict, type ReplicaLoad } from './replica.ts';
