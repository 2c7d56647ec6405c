import type { Kysely, Selectable } from 'kysely';
import { liesIn, MeridianError, isNetwork, ulid, type Clock } from '../core/index.ts';
import { oneAtATime, openPostgres, openSqlDatabase, raiseRevision, type PostgresOptions } from '../store/index.ts';
import { newJoinToken, tokenHash } from './join-token.ts';
import type { Bearer, NodeIdentity } from './node-identity.ts';
import { POSTGRES_REGISTRY_MIGRATIONS, REGISTRY_MIGRATIONS, type RegistryTables } from './registry-schema.ts';

/** A node that has joined, or was revoked. Times in milliseconds since the epoch. */
export interface RegisteredNode {
  readonly identity: NodeIdentity;
  readonly joinedAtMs: number;
  readonly joinedFrom: string;
  readonly revokedAtMs: number | null;
}

export interface NewJoinToken {
  readonly id: string;
  /** Shown once, and kept nowhere. */
  readonly token: string;
  readonly expiresAtMs: number;
}

/** A node as it presents itself when it joins. */
export interface Joining {
  readonly secret: string;
  readonly node: string;
  readonly region: string;
  readonly models: readonly string[];
  readonly address: string;
}

/** Where the registry is kept: in an SQLite file of a locked data directory, or in a database that several gateways share. */
export type RegistryAt = { readonly kind: 'sqlite'; readonly path: string } | ({ readonly kind: 'postgres' } & Omit<PostgresOptions, 'component' | 'migrations'>);

/** Which nodes may join, which have, and which may not any more. */
export class NodeRegistry {
  readonly #db: Kysely<RegistryTables>;
  readonly #isShared: boolean;
  readonly #clock: Pick<Clock, 'wallMs'>;

  private constructor(db: Kysely<RegistryTables>, isShared: boolean, clock: Pick<Clock, 'wallMs'>) {
    this.#db = db;
    this.#isShared = isShared;
    this.#clock = clock;
  }

  static async open(at: RegistryAt, clock: Pick<Clock, 'wallMs'>): Promise<NodeRegistry> {
    if (at.kind === 'sqlite') return new NodeRegistry(openSqlDatabase<RegistryTables>(at.path, { migrations: REGISTRY_MIGRATIONS }), false, clock);
    const { kind: _, ...options } = at;
    return new NodeRegistry(await openPostgres<RegistryTables>({ ...options, component: 'nodes', migrations: POSTGRES_REGISTRY_MIGRATIONS }), true, clock);
  }

  /** A token by which one node may join once, within `lifetimeMs`. Rejects with `invalid_value` when a network is none. */
  async allow(identity: NodeIdentity, lifetimeMs: number, pin: string): Promise<NewJoinToken> {
    const wrong = identity.networks?.find((network) => !isNetwork(network));
    if (wrong !== undefined) throw new MeridianError('invalid_value', { param: 'networks', message: `Invalid value for 'networks': '${wrong}' is no address or network; expected one as 10.0.0.0/8 or 2001:db8::/32.` });
    const nowMs = this.#clock.wallMs();
    const token = newJoinToken(pin);
    const made = { id: `join_${ulid(nowMs)}`, token, expiresAtMs: nowMs + lifetimeMs };
    const secret = token.slice('mj_'.length, token.indexOf('.'));
    const row = { id: made.id, hash: tokenHash(secret), identity: JSON.stringify(identity), created_at_ms: nowMs, expires_at_ms: made.expiresAtMs, used_at_ms: null, used_from: null };
    await this.#db.insertInto('join_tokens').values(row).execute();
    return made;
  }

  /** What a token lets its node be. Rejects with `permission_denied` and the reason; a token refused for another reason than its age stays good for the one it is for. */
  permit(joining: Joining): Promise<{ readonly id: string; readonly identity: NodeIdentity }> {
    return this.#permit(this.#db, joining);
  }

  /** Uses a token up, once among all gateways, and registers its node; what the node had before is void. Rejects as `permit` does. */
  join(joining: Joining): Promise<NodeIdentity> {
    const nowMs = this.#clock.wallMs();
    const { node, address } = joining;
    return this.#write(async (db) => {
      const { id, identity } = await this.#permit(db, joining);
      await db.updateTable('join_tokens').set({ used_at_ms: nowMs, used_from: address }).where('id', '=', id).execute();
      const joined = { identity: JSON.stringify(identity), joined_at_ms: nowMs, joined_from: address, good_from_ms: nowMs, revoked_at_ms: null };
      await db
        .insertInto('nodes')
        .values({ node, ...joined })
        .onConflict((conflict) => conflict.column('node').doUpdateSet(joined))
        .execute();
      return identity;
    });
  }

  /** Why a bearer of a good certificate is refused all the same; null when it is not. */
  async refusal({ identity, issuedAtMs }: Extract<Bearer, { role: 'node' }>, address: string): Promise<string | null> {
    if (identity.networks !== null && !liesIn(identity.networks, address)) return `it may not dial from ${address}`;
    const row = await this.#db.selectFrom('nodes').select(['revoked_at_ms', 'good_from_ms']).where('node', '=', identity.node).executeTakeFirst();
    if (row === undefined) return null;
    if (row.revoked_at_ms !== null) return 'it was revoked';
    return issuedAtMs < row.good_from_ms ? 'the node has joined anew since' : null;
  }

  /** From now on no certificate of the node is good. Rejects with `not_found` for a node that never joined here. */
  revoke(node: string): Promise<RegisteredNode> {
    const nowMs = this.#clock.wallMs();
    return this.#write(async (db) => {
      await db.updateTable('nodes').set((eb) => ({ revoked_at_ms: eb.fn.coalesce('revoked_at_ms', eb.val(nowMs)), good_from_ms: nowMs })).where('node', '=', node).execute();
      const row = await db.selectFrom('nodes').selectAll().where('node', '=', node).executeTakeFirst();
      if (row === undefined) throw new MeridianError('not_found', { param: 'node', message: `No node '${node}' has joined here.` });
      return registered(row);
    });
  }

  /** In the order of their ids. */
  async nodes({ after = '', limit }: { readonly after?: string | undefined; readonly limit: number }): Promise<readonly RegisteredNode[]> {
    return (await this.#db.selectFrom('nodes').selectAll().where('node', '>', after).orderBy('node').limit(limit).execute()).map(registered);
  }

  close(): Promise<void> {
    return this.#db.destroy();
  }

  /** Other gateways hear of it when they look next. */
  #write<Value>(work: (db: Kysely<RegistryTables>) => Promise<Value>): Promise<Value> {
    return this.#db.transaction().execute(async (db) => {
      if (this.#isShared) await oneAtATime(db, 'nodes');
      const done = await work(db);
      if (this.#isShared) await raiseRevision(db, 'nodes');
      return done;
    });
  }

  async #permit(db: Kysely<RegistryTables>, { secret, node, region, models, address }: Joining): Promise<{ readonly id: string; readonly identity: NodeIdentity }> {
    const row = await db.selectFrom('join_tokens').selectAll().where('hash', '=', tokenHash(secret)).executeTakeFirst();
    if (row === undefined) throw refused('The join token is not known here.');
    const identity = JSON.parse(row.identity) as NodeIdentity;
    if (row.used_at_ms !== null) throw refused(`The join token was used from ${row.used_from} already. If that was not this node, somebody else has joined with it: revoke the node '${identity.node}'.`);
    if (row.expires_at_ms <= this.#clock.wallMs()) throw refused('The join token has expired; have a new one made.');
    if (identity.networks !== null && !liesIn(identity.networks, address)) throw refused(`The join token may not be used from ${address}.`);
    const fault = mismatch(identity, { node, region, models });
    if (fault !== null) throw refused(`The join token is not for this node: ${fault}.`);
    return { id: row.id, identity };
  }
}

/** In what a node that presents itself differs from what it may be; null when it does not. */
export function mismatch(identity: NodeIdentity, { node, region, models }: Pick<NodeIdentity, 'node' | 'region' | 'models'>): string | null {
  if (node !== identity.node) return `it is '${node}', and may be '${identity.node}' only`;
  if (region !== identity.region) return `it stands in '${region}', and may stand in '${identity.region}' only`;
  const foreign = models.find((model) => !identity.models.includes(model));
  return foreign === undefined ? null : `it serves '${foreign}', and may serve ${identity.models.join(', ')} only`;
}

function registered({ identity, joined_at_ms: joinedAtMs, joined_from: joinedFrom, revoked_at_ms: revokedAtMs }: Selectable<RegistryTables['nodes']>): RegisteredNode {
  return { identity: JSON.parse(identity) as NodeIdentity, joinedAtMs, joinedFrom, revokedAtMs };
}

function refused(message: string): MeridianError {
  return new MeridianError('permission_denied', { param: 'token', message });
}
