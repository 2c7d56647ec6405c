/** The tables of the registry in an SQLite file. */
export const REGISTRY_MIGRATIONS: readonly string[] = [
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

/** The same in PostgreSQL. */
export const POSTGRES_REGISTRY_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE join_tokens (
    id text PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    identity text NOT NULL,
    created_at_ms bigint NOT NULL,
    expires_at_ms bigint NOT NULL,
    used_at_ms bigint,
    used_from text
  );
  CREATE TABLE nodes (
    node text COLLATE "C" PRIMARY KEY,
    identity text NOT NULL,
    joined_at_ms bigint NOT NULL,
    joined_from text NOT NULL,
    revoked_at_ms bigint,
    good_from_ms bigint NOT NULL
  );
  `,
];

export interface RegistryTables {
  readonly join_tokens: {
    readonly id: string;
    readonly hash: Uint8Array;
    readonly identity: string;
    readonly created_at_ms: number;
    readonly expires_at_ms: number;
    readonly used_at_ms: number | null;
    readonly used_from: string | null;
  };
  readonly nodes: {
    readonly node: string;
    readonly identity: string;
    readonly joined_at_ms: number;
    readonly joined_from: string;
    readonly revoked_at_ms: number | null;
    /** Certificates issued before are refused. */
    readonly good_from_ms: number;
  };
}
