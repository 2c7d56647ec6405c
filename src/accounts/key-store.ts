import { createHmac, timingSafeEqual } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import { MeridianError, ulid, type Cancel, type Clock, type Logger, type Priority } from '../core/index.ts';
import { openDatabase, transaction } from '../store/index.ts';
import { hashApiKey, keyHint, newApiKey, parseApiKey, type KeyKind } from './api-key.ts';
import { keyRecordOf, type ApiKeyRecord } from './api-key-record.ts';
import { KEY_MIGRATIONS } from './key-schema.ts';

export interface KeyStoreOptions {
  /** The SQLite file, in a locked data directory. */
  readonly path: string;
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

export interface NewKey {
  readonly name: string;
  /** Default `live`. */
  readonly kind?: KeyKind | undefined;
  /** Default `org_default`. */
  readonly organization?: string | undefined;
  /** Default `proj_default`. */
  readonly project?: string | undefined;
  readonly regions?: readonly string[] | null | undefined;
  readonly models?: readonly string[] | null | undefined;
  /** Default: `inference` for a live key, `admin` for an admin key. */
  readonly scopes?: readonly string[] | undefined;
  /** Default `standard`. */
  readonly priorityMax?: Priority | undefined;
  readonly expiresAtMs?: number | null | undefined;
}

export interface CreatedKey {
  readonly record: ApiKeyRecord;
  /** The key. Shown now and never again. */
  readonly secret: string;
}

export interface KeyPage {
  readonly records: readonly ApiKeyRecord[];
  readonly hasMore: boolean;
}

export type Authentication =
  | { readonly kind: 'ok'; readonly key: ApiKeyRecord }
  | { readonly kind: 'malformed' | 'unknown' | 'revoked' | 'expired' };

interface SeenKey {
  readonly key: ApiKeyRecord;
  /** `ok` as an object made once, so that the hot path makes none. */
  readonly ok: Authentication;
  readonly checkedAtMs: number;
}

const MAX_PAGE = 1_000;
const MALFORMED: Authentication = { kind: 'malformed' };
const UNKNOWN: Authentication = { kind: 'unknown' };
const REVOKED: Authentication = { kind: 'revoked' };
const EXPIRED: Authentication = { kind: 'expired' };

/** Opens the keys at `options.path`. Throws `conflict` when they were made under another pepper. */
export function openKeyStore(options: KeyStoreOptions): KeyStore {
  const db = openDatabase(options.path, { migrations: KEY_MIGRATIONS });
  try {
    checkPepper(db, options);
    return new KeyStore(db, options);
  } catch (error) {
    db.close();
    throw error;
  }
}

/** API keys: made, listed, revoked, and told from strangers. */
export class KeyStore {
  readonly #db: DatabaseSync;
  readonly #pepper: Buffer;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #recheckMs: number;
  readonly #seen: LRUCache<string, SeenKey>;
  readonly #lastUsed = new Map<string, number>();
  readonly #cancelFlush: Cancel;
  readonly #byHash: StatementSync;
  readonly #byId: StatementSync;

  constructor(db: DatabaseSync, options: KeyStoreOptions) {
    this.#db = db;
    this.#pepper = options.pepper;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#recheckMs = options.recheckMs ?? 1_000;
    this.#seen = new LRUCache({ max: options.cacheEntries ?? 10_000 });
    this.#byHash = db.prepare('SELECT * FROM keys WHERE hash = ?');
    this.#byId = db.prepare('SELECT * FROM keys WHERE id = ?');
    this.#cancelFlush = options.clock.every(options.lastUsedFlushMs ?? 60_000, () => this.#writeLastUsed());
  }

  create(wanted: NewKey): CreatedKey {
    const kind = wanted.kind ?? 'live';
    const nowMs = this.#clock.wallMs();
    const secret = newApiKey(kind);
    const id = `key_${ulid(nowMs)}`;
    this.#db
      .prepare(
        `INSERT INTO keys (id, hash, kind, name, hint, organization, project, regions, models, scopes, created_at_ms, expires_at_ms, priority_max)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        id,
        hashApiKey(this.#pepper, secret),
        kind,
        wanted.name,
        keyHint(secret),
        wanted.organization ?? 'org_default',
        wanted.project ?? 'proj_default',
        json(wanted.regions),
        json(wanted.models),
        JSON.stringify(wanted.scopes ?? [kind === 'admin' ? 'admin' : 'inference']),
        nowMs,
        wanted.expiresAtMs ?? null,
        wanted.priorityMax ?? 'standard',
      );
    return { record: this.#require(id), secret };
  }

  /** In the order they were made. Throws `invalid_value` when `after` is no key or `limit` is not 1 to 1,000. */
  list(query: { readonly after?: string | undefined; readonly limit: number }): KeyPage {
    if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > MAX_PAGE) {
      throw new MeridianError('invalid_value', { message: `limit must be a whole number from 1 to ${MAX_PAGE}.`, param: 'limit' });
    }
    let seq = 0;
    if (query.after !== undefined) {
      const row = this.#byId.get(query.after);
      if (row === undefined) throw new MeridianError('invalid_value', { message: `There is no key ${query.after}.`, param: 'after' });
      seq = Number(row['seq']);
    }
    const rows = this.#db.prepare('SELECT * FROM keys WHERE seq > ? ORDER BY seq LIMIT ?').all(seq, query.limit + 1);
    return { records: rows.slice(0, query.limit).map((row) => this.#current(keyRecordOf(row))), hasMore: rows.length > query.limit };
  }

  get(id: string): ApiKeyRecord | null {
    const row = this.#byId.get(id);
    return row === undefined ? null : this.#current(keyRecordOf(row));
  }

  /** From now on the key admits nothing. Again: no change. Null when there is no such key. */
  revoke(id: string): ApiKeyRecord | null {
    this.#db.prepare('UPDATE keys SET revoked_at_ms = ? WHERE id = ? AND revoked_at_ms IS NULL').run(this.#clock.wallMs(), id);
    for (const [secret, seen] of this.#seen.entries()) {
      if (seen.key.id === id) this.#seen.delete(secret);
    }
    return this.get(id);
  }

  /** Who presents `presented`, if anybody we know. A key seen within `recheckMs` is not looked up again. */
  authenticate(presented: string, nowWallMs: number): Authentication {
    const seen = this.#seen.get(presented);
    const fresh = seen !== undefined && Math.abs(nowWallMs - seen.checkedAtMs) < this.#recheckMs;
    if (!fresh) return this.#lookUp(presented, nowWallMs);
    return this.#admit(seen, nowWallMs);
  }

  /** Writes the times of last use and closes the file. */
  close(): void {
    this.#cancelFlush();
    this.#writeLastUsed();
    this.#db.close();
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

  /** With the time of last use that is not written yet. */
  #current(record: ApiKeyRecord): ApiKeyRecord {
    const lastUsedAtMs = this.#lastUsed.get(record.id);
    return lastUsedAtMs === undefined ? record : { ...record, lastUsedAtMs };
  }

  #require(id: string): ApiKeyRecord {
    const record = this.get(id);
    if (record === null) throw new MeridianError('internal_error', { message: `Key ${id} was written and is not there.` });
    return record;
  }
}

/** A file of hashes is of no use under another pepper: better to say so than to call every key unknown. */
function checkPepper(db: DatabaseSync, { path, pepper }: KeyStoreOptions): void {
  const fingerprint = createHmac('sha256', pepper).update('meridian key pepper').digest();
  const stored = db.prepare('SELECT fingerprint FROM pepper_check').get()?.['fingerprint'];
  if (stored === undefined) {
    db.prepare('INSERT INTO pepper_check (fingerprint) VALUES (?)').run(fingerprint);
  } else if (!(stored instanceof Uint8Array) || !fingerprint.equals(stored)) {
    const message = `The keys in ${path} were made with other secrets than those of this data directory. Restore secrets.json from a backup.`;
    throw new MeridianError('conflict', { message });
  }
}

function json(list: readonly string[] | null | undefined): string | null {
  return list === null || list === undefined ? null : JSON.stringify(list);
}
