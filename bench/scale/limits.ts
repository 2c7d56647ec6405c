import type { LimitedScope } from '../../src/admission/index.ts';
import { noLog, NO_LIMITS, systemClock } from '../../src/core/index.ts';
import { GuardedRedis, openRedis, SharedLimiter } from '../../src/redis/index.ts';

const GATEWAYS = 4;

export interface LimitFigures {
  readonly rounds: number;
  readonly limit: number;
  readonly asked: number;
  /** The worst of all rounds, of a limit of 100 %. */
  readonly overshootShare: number;
  readonly enteredLeast: number;
}

/** A burst of four times the limit at four gateways at once, round after round. */
export async function limitFigures(redisUrl: string, rounds: number): Promise<LimitFigures> {
  const limit = 500;
  const gateways = await Promise.all(
    Array.from({ length: GATEWAYS }, async (_, i) => {
      const redis = new GuardedRedis({ client: await openRedis({ mode: 'single', urls: [redisUrl], keyPrefix: 'bench', commandMs: 1_000 }, noLog), clock: systemClock, log: noLog });
      return { redis, limiter: new SharedLimiter({ redis, keyPrefix: 'bench', gateway: `g${i}`, leaseMs: 5_000, gateways: () => GATEWAYS, scopesMax: 1_000, clock: systemClock, log: noLog }) };
    }),
  );
  let [most, least] = [0, Infinity];
  for (let round = 0; round < rounds; round += 1) {
    const scopes: LimitedScope[] = [
      { kind: 'key', id: `key ${round}`, limits: { ...NO_LIMITS, tokensPerMinute: 1_000_000_000 } },
      { kind: 'organization', id: `organization burst ${round}`, limits: { ...NO_LIMITS, requestsPerMinute: limit } },
    ];
    const answers = await Promise.all(Array.from({ length: 4 * limit }, (_, i) => Promise.resolve(gateways[i % GATEWAYS]?.limiter.enter(scopes, 10, systemClock.now()))));
    const entered = answers.filter((answer) => answer?.kind === 'entered').length;
    [most, least] = [Math.max(most, entered), Math.min(least, entered)];
  }
  for (const { limiter, redis } of gateways) {
    limiter.close();
    redis.close();
  }
  return { rounds, limit, asked: 4 * limit, overshootShare: Math.max(0, most - limit) / limit, enteredLeast: least };
}
