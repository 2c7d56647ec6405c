export { ChangeBus } from './change-bus.ts';
export { GuardedRedis } from './guarded-redis.ts';
export { Members, type Member } from './members.ts';
export { openRedis, type RedisClient } from './open-redis.ts';
export type { RedisSettings } from './redis-settings.ts';
export { SessionPlaces } from './session-places.ts';
export { SharedLimiter } from './shared-limiter.ts';
