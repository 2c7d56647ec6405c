import { MeridianError, ulid, wait, type Clock, type Logger } from '../core/index.ts';
import type { GuardedRedis } from './guarded-redis.ts';
import { runScript, script } from './script.ts';

/** A gateway that is there. */
export interface Member {
  readonly id: string;
  readonly region: string;
  /** Where nodes dial it; null when none can. */
  readonly fleetUrl: string | null;
  readonly startedAtMs: number;
}

export interface MembersOptions {
  readonly redis: GuardedRedis;
  readonly keyPrefix: string;
  readonly self: Member;
  readonly beatMs: number;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told who is there whenever that changes. */
  readonly onChange: (members: readonly Member[]) => void;
}

/** ARGV: id, nonce of this life, what it says of itself, lease in ms. Returns all that are there, or the word `taken`. */
const BEAT = script(`
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', nowMs)) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('HDEL', KEYS[2], gone)
end
local held = redis.call('HGET', KEYS[2], ARGV[1])
if held and string.sub(held, 1, #ARGV[2]) ~= ARGV[2] then return 'taken' end
redis.call('ZADD', KEYS[1], nowMs + tonumber(ARGV[4]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ARGV[3])
return redis.call('HVALS', KEYS[2])
`);

const LEAVE = script(`
local held = redis.call('HGET', KEYS[2], ARGV[1])
if held and string.sub(held, 1, #ARGV[2]) == ARGV[2] then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
return 1
`);

/** The gateways that are there: each says so at every beat, and is gone when it has not for its lease. */
export class Members {
  readonly #options: MembersOptions;
  readonly #keys: readonly string[];
  /** Of this life: a gateway that was restarted is not the one before. */
  readonly #nonce: string;
  #stop: () => void = () => {};
  #members: readonly Member[];
  #isBeating = false;

  private constructor(options: MembersOptions) {
    this.#options = options;
    this.#nonce = ulid(options.clock.wallMs());
    this.#keys = [`${options.keyPrefix}:{members}`, `${options.keyPrefix}:{members}:info`];
    this.#members = [options.self];
  }

  /** Rejects with `conflict` when another gateway of that id is there. */
  static async join(options: MembersOptions): Promise<Members> {
    const members = new Members(options);
    const { clock, leaseMs, beatMs, self } = options;
    // One that died under this id is there until its lease is over.
    const untilMs = clock.now() + leaseMs + 2 * beatMs;
    while ((await members.#beat()) === 'taken') {
      if (clock.now() > untilMs) throw new MeridianError('conflict', { message: `Another gateway with the id '${self.id}' is there. Give each gateway an id of its own (gateway.id).` });
      await wait(clock, beatMs);
    }
    members.#stop = clock.every(beatMs, () => void members.#beat());
    return members;
  }

  /** Those that were there when Redis was last asked. */
  list(): readonly Member[] {
    return this.#members;
  }

  async close(): Promise<void> {
    this.#stop();
    const { redis, self } = this.#options;
    await redis.run((client) => runScript(client, LEAVE, this.#keys, [self.id, this.#nonce])).catch(() => {});
  }

  async #beat(): Promise<'there' | 'taken' | 'unheard'> {
    const { redis, self, leaseMs, log } = this.#options;
    if (this.#isBeating || !redis.isUp) return 'unheard';
    this.#isBeating = true;
    try {
      const answer = await redis.run((client) => runScript(client, BEAT, this.#keys, [self.id, this.#nonce, JSON.stringify(self), leaseMs]));
      if (answer === 'taken') {
        log.error({ gateway: self.id }, 'another gateway has this id');
        return 'taken';
      }
      this.#found((answer as readonly string[]).map((text) => JSON.parse(text.slice(this.#nonce.length)) as Member));
      return 'there';
    } catch {
      // The next beat says it; until then those last seen count.
      return 'unheard';
    } finally {
      this.#isBeating = false;
    }
  }

  #found(members: readonly Member[]): void {
    const inOrder = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const hasChanged = JSON.stringify(inOrder) !== JSON.stringify(this.#members);
    this.#members = inOrder;
    if (hasChanged) this.#options.onChange(inOrder);
  }
}
