import type { GuardedRedis } from './guarded-redis.ts';

export interface SessionPlacesOptions {
  readonly redis: GuardedRedis;
  readonly keyPrefix: string;
}

const KEPT_S = 3_600;

/** Which replica has a session, for gateways that have not seen it yet. What cannot be asked or noted is not known. */
export class SessionPlaces {
  readonly #options: SessionPlacesOptions;

  constructor(options: SessionPlacesOptions) {
    this.#options = options;
  }

  /** Id of the replica; null when nobody knows. */
  async placeOf(session: string): Promise<string | null> {
    const { redis } = this.#options;
    if (!redis.isUp) return null;
    return redis.run((client) => client.get(this.#key(session))).catch(() => null);
  }

  note(session: string, replica: string): void {
    const { redis } = this.#options;
    if (redis.isUp) redis.run((client) => client.set(this.#key(session), replica, 'EX', KEPT_S)).catch(() => {});
  }

  #key(session: string): string {
    return `${this.#options.keyPrefix}:session:{${session}}`;
  }
}
