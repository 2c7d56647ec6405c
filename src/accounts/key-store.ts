import type { Kysely } from 'kysely';
import { isNetwork, MeridianError, NO_LIMITS, ulid, type Clock, type Priority, type RateLimits } from '../core/index.ts';
import type { AccountTables } from './account-tables.ts';
import type { AccountsDatabase } from './accounts-database.ts';
import { hashApiKey, keyHint, newApiKey, type KeyKind } from './api-key.ts';
import { keyRecordOf, type ApiKeyRecord } from './api-key-record.ts';
import { SYSTEM, type Actor, type AuditLog } from './audit-log.ts';
import { Authenticator, type Authentication, type KeyStoreOptions } from './authenticator.ts';
import { joinedKeys } from './joined-keys.ts';
import { DEFAULT_ORGANIZATION, defaultProject } from './tenant.ts';
import { ensureOrganization, ensureProject } from './tenant-rows.ts';

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
  readonly #database: AccountsDatabase;
  readonly #audit: AuditLog;
  readonly #pepper: Buffer;
  readonly #clock: Clock;
  readonly #authenticator: Authenticator;

  constructor(database: AccountsDatabase, audit: AuditLog, options: KeyStoreOptions) {
    this.#database = database;
    this.#audit = audit;
    this.#pepper = options.pepper;
    this.#clock = options.clock;
    this.#authenticator = new Authenticator(database, options);
  }

  /** Rejects with `invalid_value` when a network is none, or the project is another organization's. */
  async create(wanted: NewKey, by: Actor = SYSTEM): Promise<CreatedKey> {
    refuseNetworks(wanted.networks);
    const secret = newApiKey(wanted.kind ?? 'live');
    const id = `key_${ulid(this.#clock.wallMs())}`;
    await this.#database.write((db) => this.#insert(db, id, secret, wanted, null, by));
    return { record: await this.#require(id), secret };
  }

  /** A new key with everything the old one has; that one is good for `graceMs` more. Rejects with `conflict` unless it is good now, `not_found`. */
  async rotate(id: string, graceMs: number, by: Actor = SYSTEM): Promise<CreatedKey> {
    const secret = { text: '' };
    const nowMs = this.#clock.wallMs();
    const next = `key_${ulid(nowMs)}`;
    await this.#database.write(async (db) => {
      const old = await find(db, id);
      if (old === null) throw noSuchKey(id);
      if (old.revokedAtMs !== null || (old.expiresAtMs !== null && old.expiresAtMs <= nowMs)) {
        throw new MeridianError('conflict', { param: 'id', message: `The key ${id} is revoked or expired: make a new one.` });
      }
      secret.text = newApiKey(old.kind);
      await this.#insert(db, next, secret.text, { ...old, limits: old.limits.key, serviceAccount: old.serviceAccount ?? undefined }, id, by);
      const expiresAtMs = Math.min(old.expiresAtMs ?? Infinity, nowMs + graceMs);
      await db.updateTable('keys').set({ expires_at_ms: expiresAtMs }).where('id', '=', id).execute();
      await this.#note(db, 'api_key.updated', old, { expires_at_ms: expiresAtMs, replaced_by: next }, by);
    });
    return { record: await this.#require(next), secret: secret.text };
  }

  /** Rejects with `not_found`, or `invalid_value` when a network is none. */
  async update(id: string, change: KeyChange, by: Actor = SYSTEM): Promise<ApiKeyRecord> {
    refuseNetworks(change.networks);
    const set = {
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.scopes === undefined ? {} : { scopes: JSON.stringify(change.scopes) }),
      ...(change.limits === undefined ? {} : { limits: JSON.stringify(change.limits) }),
      ...(change.expiresAtMs === undefined ? {} : { expires_at_ms: change.expiresAtMs }),
      ...(change.networks === undefined ? {} : { cidrs: json(change.networks) }),
      ...(change.models === undefined ? {} : { models: json(change.models) }),
      ...(change.regions === undefined ? {} : { regions: json(change.regions) }),
      ...(change.clampsOutput === undefined ? {} : { clamps_output: Number(change.clampsOutput) }),
    };
    await this.#database.write(async (db) => {
      const record = await find(db, id);
      if (record === null) throw noSuchKey(id);
      if (Object.keys(set).length > 0) await db.updateTable('keys').set(set).where('id', '=', id).execute();
      await this.#note(db, 'api_key.updated', record, { ...change }, by);
    });
    return this.#require(id);
  }

  /** In the order they were made. Rejects with `invalid_value` when `after` is no key or `limit` is not 1 to 1,000. */
  async list(query: KeyQuery): Promise<KeyPage> {
    if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > MAX_PAGE) {
      throw new MeridianError('invalid_value', { message: `limit must be a whole number from 1 to ${MAX_PAGE}.`, param: 'limit' });
    }
    const { db } = this.#database;
    let rows = joinedKeys(db);
    if (query.after !== undefined) {
      const row = await db.selectFrom('keys').select('seq').where('id', '=', query.after).executeTakeFirst();
      if (row === undefined) throw new MeridianError('invalid_value', { message: `There is no key ${query.after}.`, param: 'after' });
      rows = rows.where('keys.seq', '>', row.seq);
    }
    for (const column of ['kind', 'organization', 'project'] as const) {
      const wanted = query[column];
      if (wanted !== undefined) rows = rows.where(`keys.${column}`, '=', wanted);
    }
    if (query.isLiveOnly === true) rows = rows.where('keys.revoked_at_ms', 'is', null);
    const found = await rows.orderBy('keys.seq').limit(query.limit + 1).execute();
    return { records: found.slice(0, query.limit).map((row) => this.#authenticator.current(keyRecordOf(row))), hasMore: found.length > query.limit };
  }

  /** Null when there is no such key. */
  async get(id: string): Promise<ApiKeyRecord | null> {
    const record = await find(this.#database.db, id);
    return record === null ? null : this.#authenticator.current(record);
  }

  /** From now on the key admits nothing. Again: no change. Null when there is no such key. */
  async revoke(id: string, by: Actor = SYSTEM): Promise<ApiKeyRecord | null> {
    await this.#database.write(async (db) => {
      const record = await find(db, id);
      if (record === null || record.revokedAtMs !== null) return;
      await db.updateTable('keys').set({ revoked_at_ms: this.#clock.wallMs() }).where('id', '=', id).execute();
      await this.#note(db, 'api_key.deleted', record, {}, by);
    });
    return this.get(id);
  }

  /** Every key is looked up again when it is seen next. */
  forget(): void {
    this.#authenticator.forget();
  }

  /** Of what is remembered nothing had changed at `atMs`, monotonic. */
  confirm(atMs: number): void {
    this.#authenticator.confirm(atMs);
  }

  /** Who presents `presented`, if anybody we know: at once for a key that is remembered. Rejects with `overloaded` when it cannot be looked up. */
  authenticate(presented: string, nowWallMs: number): Authentication | Promise<Authentication> {
    return this.#authenticator.authenticate(presented, nowWallMs);
  }

  /** Writes the times of last use. */
  close(): Promise<void> {
    return this.#authenticator.close();
  }

  async #insert(db: Kysely<AccountTables>, id: string, secret: string, wanted: NewKey, replaces: string | null, by: Actor): Promise<void> {
    const kind = wanted.kind ?? 'live';
    const organization = wanted.organization ?? DEFAULT_ORGANIZATION;
    const nowMs = this.#clock.wallMs();
    await ensureOrganization(db, organization, nowMs);
    // An administrator's key is in no project.
    const project = kind === 'admin' ? defaultProject(organization) : await ensureProject(db, organization, wanted.project, nowMs);
    const scopes = wanted.scopes ?? [kind === 'admin' ? 'admin' : 'inference'];
    await db
      .insertInto('keys')
      .values({
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
        created_at_ms: nowMs,
        expires_at_ms: wanted.expiresAtMs ?? null,
        priority_max: wanted.priorityMax ?? 'standard',
        cidrs: json(wanted.networks),
        limits: JSON.stringify(wanted.limits ?? NO_LIMITS),
        clamps_output: Number(wanted.clampsOutput ?? false),
        service_account: wanted.serviceAccount ?? null,
        replaces,
      })
      .execute();
    await this.#note(db, 'api_key.created', { id, organization, project }, { kind, name: wanted.name, scopes, ...(replaces === null ? {} : { replaces }) }, by);
  }

  #note(db: Kysely<AccountTables>, type: string, { id, organization, project }: Pick<ApiKeyRecord, 'id' | 'organization' | 'project'>, detail: Readonly<Record<string, unknown>>, by: Actor): Promise<void> {
    return this.#audit.appendWithin(db, { type, actor: by, organization, project, resource: id, detail });
  }

  async #require(id: string): Promise<ApiKeyRecord> {
    const record = await this.get(id);
    if (record === null) throw new MeridianError('internal_error', { message: `Key ${id} was written and is not there.` });
    return record;
  }
}

async function find(db: Kysely<AccountTables>, id: string): Promise<ApiKeyRecord | null> {
  const row = await joinedKeys(db).where('keys.id', '=', id).executeTakeFirst();
  return row === undefined ? null : keyRecordOf(row);
}

function noSuchKey(id: string): MeridianError {
  return new MeridianError('not_found', { param: 'id', message: `There is no key '${id}'.` });
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
