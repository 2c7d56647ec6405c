/** `seq` is the order in which keys were made, by which they are listed. Lists are JSON; null means no restriction. */
export const KEY_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE keys (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    organization TEXT NOT NULL,
    project TEXT NOT NULL,
    regions TEXT,
    models TEXT,
    scopes TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    revoked_at_ms INTEGER,
    last_used_at_ms INTEGER
  ) STRICT;
  CREATE TABLE pepper_check (fingerprint BLOB NOT NULL) STRICT;
  `,
  `ALTER TABLE keys ADD COLUMN priority_max TEXT NOT NULL DEFAULT 'standard';`,
];
