export { EdgeHold, type EdgeHoldOptions, type Holdable } from './edge-hold.ts';
export { FairQueue, PRIORITIES, type FairRequest, type Priority } from './fair-queue.ts';
export { InFlightLimit, type InFlightPermit } from './in-flight-limit.ts';
export { ServiceShares } from './service-shares.ts';
