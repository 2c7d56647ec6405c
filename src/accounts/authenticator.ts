import { timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Cancel, Clock, Logger } from '../core/index.ts';
import type { AccountsDatabase } from './accounts-database.ts';
import { hashApiKey, parseApiKey } from './api-key.ts';
import { keyRecordOf, type ApiKeyRecord } from './api-key-record.ts';
import { joinedKeys } from './joined-keys.ts';

export interface KeyStoreOptions {
  /** 32 secret bytes; the same for the life of the database. */
  readonly pepper: Buffer;
  readonly clock: Clock;
  readonly log: Logger;
  /** Keys remembered as seen. Default 10,000. */
  readonly cacheEntries?: number;
  /** How long a remembered key is believed after it was looked up, or since `confirm` said that nothing has changed. Default 1,000. */
  readonly recheckMs?: number;
  /** How often times of last use are written. Default 60,000. */
  readonly lastUsedFlushMs?: number;
}

export type Authentication =
  | { readonly kind: 'ok'; readonly key: ApiKeyRecord }
  | { readonly kind: 'malformed' | 'unknown' | 'revoked' | 'expired' | 'archived' };

interface SeenKey {
  readonly key: ApiKeyRecord;
  /** `ok` as an object made once, so that the hot path makes none. */
  readonly ok: Authentication;
  readonly checkedAtMs: number;
}

const MALFORMED: Authentication = { kind: 'malformed' };
const UNKNOWN: Authentication = { kind: 'unknown' };
const REVOKED: Authentication = { kind: 'revoked' };
const EXPIRED: Authentication = { kind: 'expired' };
const ARCHIVED: Authentication = { kind: 'archived' };

/** Tells keys from strangers, and remembers those it has seen, and when. */
export class Authenticator {
  readonly #database: AccountsDatabase;
  readonly #pepper: Buffer;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #recheckMs: number;
  readonly #seen: LRUCache<string, SeenKey>;
  /** Look-ups under way, so that many requests with one new key make one. */
  readonly #asked = new Map<string, Promise<Authentication>>();
  readonly #lastUsed = new Map<string, number>();
  readonly #cancelFlush: Cancel;
  /** Monotonic, as all times here: nothing had changed then. */
  #confirmedAtMs = -Infinity;
  /** Grows whenever what is remembered is forgotten: what was looked up before is not remembered after. */
  #generation = 0;

  constructor(database: AccountsDatabase, options: KeyStoreOptions) {
    this.#database = database;
    this.#pepper = options.pepper;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#recheckMs = options.recheckMs ?? 1_000;
    this.#seen = new LRUCache({ max: options.cacheEntries ?? 10_000 });
    this.#cancelFlush = options.clock.every(options.lastUsedFlushMs ?? 60_000, () => void this.#writeLastUsed());
  }

  /** Who presents `presented`, if anybody we know: at once for a key that is remembered. Rejects with `overloaded` when it cannot be looked up. */
  authenticate(presented: string, nowWallMs: number): Authentication | Promise<Authentication> {
    const seen = this.#seen.get(presented);
    const isFresh = seen !== undefined && this.#clock.now() - Math.max(seen.checkedAtMs, this.#confirmedAtMs) < this.#recheckMs;
    return isFresh ? this.#admit(seen, nowWallMs) : this.#ask(presented, nowWallMs);
  }

  /** Every key is looked up again when it is seen next. */
  forget(): void {
    this.#generation += 1;
    this.#seen.clear();
  }

  /** Of what is remembered nothing had changed at `atMs`. */
  confirm(atMs: number): void {
    this.#confirmedAtMs = atMs;
  }

  /** With the time of last use that is not written yet. */
  current(record: ApiKeyRecord): ApiKeyRecord {
    const lastUsedAtMs = this.#lastUsed.get(record.id);
    return lastUsedAtMs === undefined ? record : { ...record, lastUsedAtMs };
  }

  /** Writes the times of last use. */
  async close(): Promise<void> {
    this.#cancelFlush();
    await this.#writeLastUsed();
  }

  #ask(presented: string, nowWallMs: number): Authentication | Promise<Authentication> {
    const parsed = parseApiKey(presented);
    if (parsed === null) return MALFORMED;
    const asked = this.#asked.get(presented) ?? this.#lookUp(presented, parsed.secret, nowWallMs).finally(() => this.#asked.delete(presented));
    this.#asked.set(presented, asked);
    return asked;
  }

  async #lookUp(presented: string, secret: string, nowWallMs: number): Promise<Authentication> {
    const generation = this.#generation;
    const checkedAtMs = this.#clock.now();
    const hash = hashApiKey(this.#pepper, secret);
    const row = await this.#database.lookUp(() => joinedKeys(this.#database.db).where('keys.hash', '=', hash).executeTakeFirst());
    this.#seen.delete(presented);
    if (row === undefined || !timingSafeEqual(row.hash, hash)) return UNKNOWN;
    const key = keyRecordOf(row);
    if (key.revokedAtMs !== null) return REVOKED;
    if (row.project_archived_at_ms !== null) return ARCHIVED;
    // Only keys that are good are remembered, so that a stranger's guesses push nobody out.
    const seen: SeenKey = { key, ok: { kind: 'ok', key }, checkedAtMs };
    if (generation === this.#generation) this.#seen.set(presented, seen);
    return this.#admit(seen, nowWallMs);
  }

  #admit(seen: SeenKey, nowWallMs: number): Authentication {
    if (seen.key.expiresAtMs !== null && nowWallMs >= seen.key.expiresAtMs) return EXPIRED;
    this.#lastUsed.set(seen.key.id, nowWallMs);
    return seen.ok;
  }

  async #writeLastUsed(): Promise<void> {
    if (this.#lastUsed.size === 0) return;
    // In one order at all gateways, so that they do not wait for each other in a circle.
    const used = [...this.#lastUsed].toSorted(([a], [b]) => (a < b ? -1 : 1));
    try {
      await this.#database.db.transaction().execute(async (db) => {
        for (const [id, usedAtMs] of used) {
          const isLater = db.updateTable('keys').set({ last_used_at_ms: usedAtMs }).where('id', '=', id);
          await isLater.where((where) => where.or([where('last_used_at_ms', 'is', null), where('last_used_at_ms', '<', usedAtMs)])).execute();
        }
      });
      for (const [id, usedAtMs] of used) if (this.#lastUsed.get(id) === usedAtMs) this.#lastUsed.delete(id);
    } catch (error) {
      // Kept for the next time: not worth refusing anybody for.
      this.#log.warn({ error: String(error) }, 'Times of last use of keys could not be written.');
    }
  }
}
