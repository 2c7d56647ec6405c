import CircuitBreaker from 'opossum';
import type { Clock, Logger } from '../core/index.ts';
import type { RedisClient } from './open-redis.ts';

export interface GuardedRedisOptions {
  readonly client: RedisClient;
  readonly clock: Clock;
  readonly log: Logger;
}

const PROBE_MS = 250;
/** For ever: a probe of our own closes it, not a client's request. */
const NEVER_MS = 2 ** 31 - 1;
/** Open when half of the commands of the last second failed, three at the least. */
const BREAKER = { timeout: false, errorThresholdPercentage: 50, volumeThreshold: 3, resetTimeout: NEVER_MS, rollingCountTimeout: 1_000, rollingCountBuckets: 4 } as const;

/** Redis behind a circuit breaker: while it does not answer, nobody waits for it, and a ping now and then sees whether it does again. */
export class GuardedRedis {
  readonly client: RedisClient;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #breaker: CircuitBreaker<[() => Promise<unknown>], unknown>;
  readonly #stop: () => void;
  readonly #onBack: (() => void)[] = [];
  #awaySinceMs: number | null = null;
  #isProbing = false;
  #failures = 0;

  constructor({ client, clock, log }: GuardedRedisOptions) {
    this.client = client;
    this.#clock = clock;
    this.#log = log;
    this.#breaker = new CircuitBreaker((command: () => Promise<unknown>) => command(), BREAKER);
    this.#breaker.on('open', () => this.#away());
    this.#breaker.on('failure', () => (this.#failures += 1));
    this.#stop = clock.every(PROBE_MS, () => void this.#probe());
  }

  /** It answers, as far as is known. */
  get isUp(): boolean {
    return this.#breaker.closed;
  }

  /** Commands that failed or got no answer in time. */
  get failures(): number {
    return this.#failures;
  }

  /** `act` is told when it answers again. */
  onBack(act: () => void): void {
    this.#onBack.push(act);
  }

  /** Rejects when it does not answer in time; at once while it is away. */
  async run<Value>(command: (client: RedisClient) => Promise<Value>): Promise<Value> {
    return (await this.#breaker.fire(() => command(this.client))) as Value;
  }

  close(): void {
    this.#stop();
    this.#breaker.shutdown();
    this.client.disconnect();
  }

  #away(): void {
    if (this.#awaySinceMs !== null) return;
    this.#awaySinceMs = this.#clock.now();
    this.#log.error({}, 'Redis does not answer: limits are counted by each gateway for its share');
  }

  async #probe(): Promise<void> {
    if (this.isUp || this.#isProbing) return;
    this.#isProbing = true;
    try {
      await this.client.ping();
      this.#breaker.close();
      const awayMs = Math.round(this.#clock.now() - (this.#awaySinceMs ?? this.#clock.now()));
      this.#awaySinceMs = null;
      this.#log.info({ awayMs }, 'Redis answers again');
      for (const act of this.#onBack) act();
    } catch {
      // The next one may succeed.
    } finally {
      this.#isProbing = false;
    }
  }
}
