import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { isNetwork, MeridianError, NO_LIMITS, ulid, type Clock, type Priority, type RateLimits } from '../core/index.ts';
import { transaction } from '../store/index.ts';
import { hashApiKey, keyHint, newApiKey, type KeyKind } from './api-key.ts';
import { keyRecordOf, type ApiKeyRecord } from './api-key-record.ts';
import { SYSTEM, type Actor, type AuditLog } from './audit-log.ts';
import { Authenticator, JOINED_KEYS, type Authentication, type KeyStoreOptions } from './authenticator.ts';
import { DEFAULT_ORGANIZATION, defaultProject } from './tenant.ts';
import type { TenantStore } from './tenant-store.ts';

export interface NewKey {
  readonly name: string;
  /** Default `live`. */
  readonly kind?: KeyKind | undefined;
  /** Default `org_default`. */
  readonly organization?: string | undefined;
  /** Default: the default project of the organization. */
  readonly project?: string | undefined;
  readonly regions?: readonly string[] | null | undefined;
  readonly models?: readonly string[] | null | undefined;
  /** Default: `inference` for a live key, `admin` for an admin key. */
  readonly scopes?: readonly string[] | undefined;
  /** Default `standard`. */
  readonly priorityMax?: Priority | undefined;
  readonly expiresAtMs?: number | null | undefined;
  /** Networks it may be used from, as 10.0.0.0/8; anywhere without. */
  readonly networks?: readonly string[] | null | undefined;
  readonly limits?: RateLimits | undefined;
  readonly serviceAccount?: string | undefined;
  /** Default false. */
  readonly clampsOutput?: boolean | undefined;
}

/** What can be changed of a key; what is undefined stays. */
export type KeyChange = { readonly [Field in 'name' | 'scopes' | 'networks' | 'limits' | 'expiresAtMs' | 'models' | 'regions' | 'clampsOutput']?: NewKey[Field] | undefined };

export interface CreatedKey {
  readonly record: ApiKeyRecord;
  /** The key. Shown now and never again. */
  readonly secret: string;
}

export interface KeyQuery {
  readonly after?: string | undefined;
  /** 1 to 1,000. */
  readonly limit: number;
  readonly kind?: KeyKind | undefined;
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
  /** Without those that are revoked. */
  readonly isLiveOnly?: boolean | undefined;
}

export interface KeyPage {
  readonly records: readonly ApiKeyRecord[];
  readonly hasMore: boolean;
}

const MAX_PAGE = 1_000;

/** API keys: made, listed, revoked, and told from strangers. */
export class KeyStore {
  readonly #db: DatabaseSync;
  readonly #tenants: TenantStore;
  readonly #audit: AuditLog;
  readonly #pepper: Buffer;
  readonly #clock: Clock;
  readonly #authenticator: Authenticator;
  readonly #byId: StatementSync;

  constructor(db: DatabaseSync, tenants: TenantStore, audit: AuditLog, options: KeyStoreOptions) {
    this.#db = db;
    this.#tenants = tenants;
    this.#audit = audit;
    this.#pepper = options.pepper;
    this.#clock = options.clock;
    this.#authenticator = new Authenticator(db, options);
    this.#byId = db.prepare(`${JOINED_KEYS} WHERE keys.id = ?`);
  }

  /** Throws `invalid_value` when a network is none, or the project is another organization's. */
  create(wanted: NewKey, by: Actor = SYSTEM): CreatedKey {
    refuseNetworks(wanted.networks);
    const secret = newApiKey(wanted.kind ?? 'live');
    const id = `key_${ulid(this.#clock.wallMs())}`;
    transaction(this.#db, () => this.#insert(id, secret, wanted, null, by));
    return { record: this.#require(id), secret };
  }

  /** A new key with everything the old one has; that one is good for `graceMs` more. Throws `conflict` unless it is good now, `not_found`. */
  rotate(id: string, graceMs: number, by: Actor = SYSTEM): CreatedKey {
    const old = this.get(id);
    if (old === null) throw new MeridianError('not_found', { param: 'id', message: `There is no key '${id}'.` });
    const nowMs = this.#clock.wallMs();
    if (old.revokedAtMs !== null || (old.expiresAtMs !== null && old.expiresAtMs <= nowMs)) {
      throw new MeridianError('conflict', { param: 'id', message: `The key ${id} is revoked or expired: make a new one.` });
    }
    const secret = newApiKey(old.kind);
    const next = `key_${ulid(nowMs)}`;
    transaction(this.#db, () => {
      this.#insert(next, secret, { ...old, limits: old.limits.key, serviceAccount: old.serviceAccount ?? undefined }, id, by);
      const expiresAtMs = Math.min(old.expiresAtMs ?? Infinity, nowMs + graceMs);
      this.#db.prepare('UPDATE keys SET expires_at_ms = ? WHERE id = ?').run(expiresAtMs, id);
      this.#note('api_key.updated', old, { expires_at_ms: expiresAtMs, replaced_by: next }, by);
    });
    this.forget();
    return { record: this.#require(next), secret };
  }

  /** Throws `not_found`, or `invalid_value` when a network is none. */
  update(id: string, change: KeyChange, by: Actor = SYSTEM): ApiKeyRecord {
    refuseNetworks(change.networks);
    const record = this.get(id);
    if (record === null) throw new MeridianError('not_found', { param: 'id', message: `There is no key '${id}'.` });
    const columns: Record<string, SQLInputValue | undefined> = {
      name: change.name,
      scopes: change.scopes === undefined ? undefined : JSON.stringify(change.scopes),
      limits: change.limits === undefined ? undefined : JSON.stringify(change.limits),
      expires_at_ms: change.expiresAtMs,
      cidrs: change.networks === undefined ? undefined : json(change.networks),
      models: change.models === undefined ? undefined : json(change.models),
      regions: change.regions === undefined ? undefined : json(change.regions),
      clamps_output: change.clampsOutput === undefined ? undefined : Number(change.clampsOutput),
    };
    transaction(this.#db, () => {
      for (const [column, value] of Object.entries(columns)) if (value !== undefined) this.#db.prepare(`UPDATE keys SET ${column} = ? WHERE id = ?`).run(value, id);
      this.#note('api_key.updated', record, { ...change }, by);
    });
    this.forget();
    return this.#require(id);
  }

  /** In the order they were made. Throws `invalid_value` when `after` is no key or `limit` is not 1 to 1,000. */
  list(query: KeyQuery): KeyPage {
    if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > MAX_PAGE) {
      throw new MeridianError('invalid_value', { message: `limit must be a whole number from 1 to ${MAX_PAGE}.`, param: 'limit' });
    }
    let seq = 0;
    if (query.after !== undefined) {
      const row = this.#byId.get(query.after);
      if (row === undefined) throw new MeridianError('invalid_value', { message: `There is no key ${query.after}.`, param: 'after' });
      seq = Number(row['seq']);
    }
    const conditions = Object.entries({ kind: query.kind, organization: query.organization, project: query.project }).flatMap(([column, value]) => (value === undefined ? [] : [[column, value] as const]));
    const where = conditions.map(([column]) => ` AND keys.${column} = ?`).join('') + (query.isLiveOnly === true ? ' AND keys.revoked_at_ms IS NULL' : '');
    const rows = this.#db.prepare(`${JOINED_KEYS} WHERE keys.seq > ?${where} ORDER BY keys.seq LIMIT ?`).all(seq, ...conditions.map(([, value]) => value), query.limit + 1);
    return { records: rows.slice(0, query.limit).map((row) => this.#authenticator.current(keyRecordOf(row))), hasMore: rows.length > query.limit };
  }

  get(id: string): ApiKeyRecord | null {
    const row = this.#byId.get(id);
    return row === undefined ? null : this.#authenticator.current(keyRecordOf(row));
  }

  /** From now on the key admits nothing. Again: no change. Null when there is no such key. */
  revoke(id: string, by: Actor = SYSTEM): ApiKeyRecord | null {
    const record = this.get(id);
    if (record === null) return null;
    if (record.revokedAtMs === null) {
      transaction(this.#db, () => {
        this.#db.prepare('UPDATE keys SET revoked_at_ms = ? WHERE id = ?').run(this.#clock.wallMs(), id);
        this.#note('api_key.deleted', record, {}, by);
      });
      this.forget();
    }
    return this.get(id);
  }

  /** Every key is looked up again when it is seen next. */
  forget(): void {
    this.#authenticator.forget();
  }

  /** Who presents `presented`, if anybody we know. A key seen within `recheckMs` is not looked up again. */
  authenticate(presented: string, nowWallMs: number): Authentication {
    return this.#authenticator.authenticate(presented, nowWallMs);
  }

  /** Writes the times of last use. */
  close(): void {
    this.#authenticator.close();
  }

  #insert(id: string, secret: string, wanted: NewKey, replaces: string | null, by: Actor): void {
    const kind = wanted.kind ?? 'live';
    const organization = wanted.organization ?? DEFAULT_ORGANIZATION;
    this.#tenants.ensureOrganization(organization);
    // An administrator's key is in no project.
    const project = kind === 'admin' ? defaultProject(organization) : this.#tenants.ensureProject(organization, wanted.project);
    const scopes = wanted.scopes ?? [kind === 'admin' ? 'admin' : 'inference'];
    const columns: Record<string, SQLInputValue> = {
      id,
      hash: hashApiKey(this.#pepper, secret),
      kind,
      name: wanted.name,
      hint: keyHint(secret),
      organization,
      project,
      regions: json(wanted.regions),
      models: json(wanted.models),
      scopes: JSON.stringify(scopes),
      created_at_ms: this.#clock.wallMs(),
      expires_at_ms: wanted.expiresAtMs ?? null,
      priority_max: wanted.priorityMax ?? 'standard',
      cidrs: json(wanted.networks),
      limits: JSON.stringify(wanted.limits ?? NO_LIMITS),
      clamps_output: Number(wanted.clampsOutput ?? false),
      service_account: wanted.serviceAccount ?? null,
      replaces,
    };
    const names = Object.keys(columns);
    this.#db.prepare(`INSERT INTO keys (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`).run(...Object.values(columns));
    this.#note('api_key.created', { id, organization, project }, { kind, name: wanted.name, scopes, ...(replaces === null ? {} : { replaces }) }, by);
  }

  #note(type: string, { id, organization, project }: Pick<ApiKeyRecord, 'id' | 'organization' | 'project'>, detail: Readonly<Record<string, unknown>>, by: Actor): void {
    this.#audit.append({ type, actor: by, organization, project, resource: id, detail });
  }

  #require(id: string): ApiKeyRecord {
    const record = this.get(id);
    if (record === null) throw new MeridianError('internal_error', { message: `Key ${id} was written and is not there.` });
    return record;
  }
}

function refuseNetworks(networks: readonly string[] | null | undefined): void {
  for (const [i, network] of (networks ?? []).entries()) {
    if (isNetwork(network)) continue;
    throw new MeridianError('invalid_value', { param: `networks[${i}]`, message: `Invalid value for 'networks[${i}]': expected an address or a network, as "10.0.0.0/8" or "2001:db8::/32", got "${network.slice(0, 60)}".` });
  }
}

function json(list: readonly string[] | null | undefined): string | null {
  return list === null || list === undefined ? null : JSON.stringify(list);
}
