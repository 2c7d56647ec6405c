import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { liesIn, MeridianError, isNetwork, ulid, type Clock } from '../core/index.ts';
import { openDatabase, transaction } from '../store/index.ts';
import { newJoinToken, tokenHash } from './join-token.ts';
import type { Bearer, NodeIdentity } from './node-identity.ts';

const MIGRATIONS = [
  `
  CREATE TABLE join_tokens (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    identity TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    used_at_ms INTEGER,
    used_from TEXT
  ) STRICT;
  CREATE TABLE nodes (
    node TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    joined_at_ms INTEGER NOT NULL,
    joined_from TEXT NOT NULL,
    revoked_at_ms INTEGER,
    -- Certificates issued before are refused.
    good_from_ms INTEGER NOT NULL
  ) STRICT;
  `,
];

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

type Row = Readonly<Record<string, SQLOutputValue>>;

/** Which nodes may join, which have, and which may not any more. */
export class NodeRegistry {
  readonly #db: DatabaseSync;
  readonly #clock: Pick<Clock, 'wallMs'>;

  /** `path`: the SQLite file, in a locked data directory. */
  constructor(path: string, clock: Pick<Clock, 'wallMs'>) {
    this.#db = openDatabase(path, { migrations: MIGRATIONS });
    this.#clock = clock;
  }

  /** A token by which one node may join once, within `lifetimeMs`. Throws `invalid_value` when a network is none. */
  allow(identity: NodeIdentity, lifetimeMs: number, pin: string): NewJoinToken {
    const wrong = identity.networks?.find((network) => !isNetwork(network));
    if (wrong !== undefined) throw new MeridianError('invalid_value', { param: 'networks', message: `Invalid value for 'networks': '${wrong}' is no address or network; expected one as 10.0.0.0/8 or 2001:db8::/32.` });
    const nowMs = this.#clock.wallMs();
    const token = newJoinToken(pin);
    const made = { id: `join_${ulid(nowMs)}`, token, expiresAtMs: nowMs + lifetimeMs };
    const secret = token.slice('mj_'.length, token.indexOf('.'));
    this.#db
      .prepare('INSERT INTO join_tokens (id, hash, identity, created_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?)')
      .run(made.id, tokenHash(secret), JSON.stringify(identity), nowMs, made.expiresAtMs);
    return made;
  }

  /** What a token lets its node be. Throws `permission_denied` with the reason; a token refused for another reason than its age stays good for the one it is for. */
  permit({ secret, node, region, models, address }: Joining): { readonly id: string; readonly identity: NodeIdentity } {
    const row = this.#db.prepare('SELECT * FROM join_tokens WHERE hash = ?').get(tokenHash(secret));
    if (row === undefined) throw refused('The join token is not known here.');
    const identity = identityOf(row);
    if (row['used_at_ms'] !== null) throw refused(`The join token was used from ${String(row['used_from'])} already. If that was not this node, somebody else has joined with it: revoke the node '${identity.node}'.`);
    if (Number(row['expires_at_ms']) <= this.#clock.wallMs()) throw refused('The join token has expired; have a new one made.');
    if (identity.networks !== null && !liesIn(identity.networks, address)) throw refused(`The join token may not be used from ${address}.`);
    const fault = mismatch(identity, { node, region, models });
    if (fault !== null) throw refused(`The join token is not for this node: ${fault}.`);
    return { id: String(row['id']), identity };
  }

  /** Uses a token up, and registers its node; what the node had before is void. Throws as `permit` does. */
  join(joining: Joining): NodeIdentity {
    const nowMs = this.#clock.wallMs();
    const { node, address } = joining;
    return transaction(this.#db, () => {
      const { id, identity } = this.permit(joining);
      this.#db.prepare('UPDATE join_tokens SET used_at_ms = ?, used_from = ? WHERE id = ?').run(nowMs, address, id);
      this.#db
        .prepare(
          `INSERT INTO nodes (node, identity, joined_at_ms, joined_from, good_from_ms) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (node) DO UPDATE SET identity = excluded.identity, joined_at_ms = excluded.joined_at_ms,
             joined_from = excluded.joined_from, good_from_ms = excluded.good_from_ms, revoked_at_ms = NULL`,
        )
        .run(node, JSON.stringify(identity), nowMs, address, nowMs);
      return identity;
    });
  }

  /** Why a bearer of a good certificate is refused all the same; null when it is not. */
  refusal({ identity, issuedAtMs }: Extract<Bearer, { role: 'node' }>, address: string): string | null {
    if (identity.networks !== null && !liesIn(identity.networks, address)) return `it may not dial from ${address}`;
    const row = this.#db.prepare('SELECT revoked_at_ms, good_from_ms FROM nodes WHERE node = ?').get(identity.node);
    if (row === undefined) return null;
    if (row['revoked_at_ms'] !== null) return 'it was revoked';
    return issuedAtMs < Number(row['good_from_ms']) ? 'the node has joined anew since' : null;
  }

  /** From now on no certificate of the node is good. Throws `not_found` for a node that never joined here. */
  revoke(node: string): RegisteredNode {
    const nowMs = this.#clock.wallMs();
    this.#db.prepare('UPDATE nodes SET revoked_at_ms = COALESCE(revoked_at_ms, ?), good_from_ms = ? WHERE node = ?').run(nowMs, nowMs, node);
    const row = this.#db.prepare('SELECT * FROM nodes WHERE node = ?').get(node);
    if (row === undefined) throw new MeridianError('not_found', { param: 'node', message: `No node '${node}' has joined here.` });
    return registered(row);
  }

  /** In the order of their ids. */
  nodes({ after = '', limit }: { readonly after?: string | undefined; readonly limit: number }): readonly RegisteredNode[] {
    return this.#db.prepare('SELECT * FROM nodes WHERE node > ? ORDER BY node LIMIT ?').all(after, limit).map(registered);
  }

  close(): void {
    this.#db.close();
  }
}

/** In what a node that presents itself differs from what it may be; null when it does not. */
export function mismatch(identity: NodeIdentity, { node, region, models }: Pick<NodeIdentity, 'node' | 'region' | 'models'>): string | null {
  if (node !== identity.node) return `it is '${node}', and may be '${identity.node}' only`;
  if (region !== identity.region) return `it stands in '${region}', and may stand in '${identity.region}' only`;
  const foreign = models.find((model) => !identity.models.includes(model));
  return foreign === undefined ? null : `it serves '${foreign}', and may serve ${identity.models.join(', ')} only`;
}

function registered(row: Row): RegisteredNode {
  const revokedAtMs = row['revoked_at_ms'];
  return { identity: identityOf(row), joinedAtMs: Number(row['joined_at_ms']), joinedFrom: String(row['joined_from']), revokedAtMs: typeof revokedAtMs === 'number' ? revokedAtMs : null };
}

function identityOf(row: Row): NodeIdentity {
  return JSON.parse(String(row['identity'])) as NodeIdentity;
}

function refused(message: string): MeridianError {
  return new MeridianError('permission_denied', { param: 'token', message });
}
