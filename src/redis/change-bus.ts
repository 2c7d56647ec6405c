import { ulid, type Clock } from '../core/index.ts';
import type { GuardedRedis } from './guarded-redis.ts';
import { duplicateOf, type RedisClient } from './open-redis.ts';

export interface ChangeBusOptions {
  readonly redis: GuardedRedis;
  readonly keyPrefix: string;
  readonly clock: Clock;
  /** What another gateway says. */
  readonly onNews: (what: string) => void;
  /** News may have been missed. */
  readonly onGap: () => void;
}

/** News between gateways, by publish and subscribe: fast, and not to be relied on. */
export class ChangeBus {
  readonly #options: ChangeBusOptions;
  readonly #channel: string;
  readonly #self: string;
  readonly #subscriber: RedisClient;

  constructor(options: ChangeBusOptions) {
    const { redis, keyPrefix, clock, onNews, onGap } = options;
    this.#options = options;
    this.#channel = `${keyPrefix}:news`;
    this.#self = ulid(clock.wallMs());
    this.#subscriber = duplicateOf(redis.client);
    this.#subscriber.on('error', () => {});
    this.#subscriber.on('message', (_channel: string, text: string) => {
      const [from, ...words] = text.split(' ');
      if (from !== this.#self) onNews(words.join(' '));
    });
    this.#subscriber.on('ready', () => {
      this.#subscriber.subscribe(this.#channel).then(onGap, () => {});
    });
    // It goes on trying by itself.
    this.#subscriber.connect().catch(() => {});
  }

  /** Tells the other gateways; whoever does not hear it finds out by himself. */
  publish(what: string): void {
    const { redis } = this.#options;
    if (redis.isUp) redis.run((client) => client.publish(this.#channel, `${this.#self} ${what}`)).catch(() => {});
  }

  close(): void {
    this.#subscriber.disconnect();
  }
}
