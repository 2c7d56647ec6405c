import { timingSafeEqual } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import type { Cancel, Clock, Logger } from '../core/index.ts';
import { transaction } from '../store/index.ts';
import { hashApiKey, parseApiKey } from './api-key.ts';
import { keyRecordOf, type ApiKeyRecord } from './api-key-record.ts';

export interface KeyStoreOptions {
  /** 32 secret bytes; the same for the life of the file. */
  readonly pepper: Buffer;
  readonly clock: Clock;
  readonly log: Logger;
  /** Keys remembered as seen. Default 10,000. */
  readonly cacheEntries?: number;
  /** How long a remembered key is believed before the file is asked again. Default 1,000. */
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

/** A key with what its project and its organization say. */
export const JOINED_KEYS = `
  SELECT keys.*, projects.archived_at_ms AS project_archived_at_ms, projects.limits AS project_limits, projects.model_limits,
    organizations.limits AS organization_limits
  FROM keys LEFT JOIN projects ON projects.id = keys.project LEFT JOIN organizations ON organizations.id = keys.organization`;

/** Tells keys from strangers, and remembers those it has seen, and when. */
export class Authenticator {
  readonly #db: DatabaseSync;
  readonly #pepper: Buffer;
  readonly #log: Logger;
  readonly #recheckMs: number;
  readonly #seen: LRUCache<string, SeenKey>;
  readonly #lastUsed = new Map<string, number>();
  readonly #cancelFlush: Cancel;
  readonly #byHash: StatementSync;

  constructor(db: DatabaseSync, options: KeyStoreOptions) {
    this.#db = db;
    this.#pepper = options.pepper;
    this.#log = options.log;
    this.#recheckMs = options.recheckMs ?? 1_000;
    this.#seen = new LRUCache({ max: options.cacheEntries ?? 10_000 });
    this.#byHash = db.prepare(`${JOINED_KEYS} WHERE keys.hash = ?`);
    this.#cancelFlush = options.clock.every(options.lastUsedFlushMs ?? 60_000, () => this.#writeLastUsed());
  }

  /** Who presents `presented`, if anybody we know. A key seen within `recheckMs` is not looked up again. */
  authenticate(presented: string, nowWallMs: number): Authentication {
    const seen = this.#seen.get(presented);
    const fresh = seen !== undefined && Math.abs(nowWallMs - seen.checkedAtMs) < this.#recheckMs;
    return fresh ? this.#admit(seen, nowWallMs) : this.#lookUp(presented, nowWallMs);
  }

  /** Every key is looked up again when it is seen next. */
  forget(): void {
    this.#seen.clear();
  }

  /** With the time of last use that is not written yet. */
  current(record: ApiKeyRecord): ApiKeyRecord {
    const lastUsedAtMs = this.#lastUsed.get(record.id);
    return lastUsedAtMs === undefined ? record : { ...record, lastUsedAtMs };
  }

  /** Writes the times of last use. */
  close(): void {
    this.#cancelFlush();
    this.#writeLastUsed();
  }

  #lookUp(presented: string, nowWallMs: number): Authentication {
    this.#seen.delete(presented);
    const parsed = parseApiKey(presented);
    if (parsed === null) return MALFORMED;
    const hash = hashApiKey(this.#pepper, parsed.secret);
    const row = this.#byHash.get(hash);
    const stored = row?.['hash'];
    if (row === undefined || !(stored instanceof Uint8Array) || !timingSafeEqual(stored, hash)) return UNKNOWN;
    const key = keyRecordOf(row);
    if (key.revokedAtMs !== null) return REVOKED;
    if (row['project_archived_at_ms'] !== null) return ARCHIVED;
    // Only keys that are good are remembered, so that a stranger's guesses push nobody out.
    const seen: SeenKey = { key, ok: { kind: 'ok', key }, checkedAtMs: nowWallMs };
    this.#seen.set(presented, seen);
    return this.#admit(seen, nowWallMs);
  }

  #admit(seen: SeenKey, nowWallMs: number): Authentication {
    if (seen.key.expiresAtMs !== null && nowWallMs >= seen.key.expiresAtMs) return EXPIRED;
    this.#lastUsed.set(seen.key.id, nowWallMs);
    return seen.ok;
  }

  #writeLastUsed(): void {
    if (this.#lastUsed.size === 0) return;
    try {
      const update = this.#db.prepare('UPDATE keys SET last_used_at_ms = ? WHERE id = ?');
      transaction(this.#db, () => {
        for (const [id, usedAtMs] of this.#lastUsed) update.run(usedAtMs, id);
      });
      this.#lastUsed.clear();
    } catch (error) {
      // Kept for the next time: not worth refusing anybody for.
      this.#log.warn({ error: String(error) }, 'Times of last use of keys could not be written.');
    }
  }
}
