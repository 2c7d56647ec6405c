export { ChangeBus } from './change-bus.ts';
export { GuardedRedis } from './guarded-redis.ts';
export { Members, type Member } from './members.ts';
export { openRedis } from './open-redis.ts';
export { SessionPlaces } from './session-places.ts';
export { SharedLimiter } from './shared-limiter.ts';
