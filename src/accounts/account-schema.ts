/** `seq` is the order in which keys were made, by which they are listed. Lists are JSON; null means no restriction. */
export const ACCOUNT_MIGRATIONS: readonly string[] = [
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
  `
  CREATE TABLE organizations (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    limits TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE projects (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    organization TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    limits TEXT NOT NULL,
    model_limits TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    archived_at_ms INTEGER
  ) STRICT;
  CREATE TABLE service_accounts (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL REFERENCES projects (id),
    name TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    deleted_at_ms INTEGER
  ) STRICT;
  INSERT INTO organizations (id, name, limits, created_at_ms)
    SELECT organization, organization, '{}', MIN(created_at_ms) FROM keys GROUP BY organization;
  INSERT INTO projects (id, organization, name, limits, model_limits, created_at_ms)
    SELECT project, MIN(organization), project, '{}', '{}', MIN(created_at_ms) FROM keys GROUP BY project;

  ALTER TABLE keys ADD COLUMN cidrs TEXT;
  ALTER TABLE keys ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE keys ADD COLUMN service_account TEXT;
  ALTER TABLE keys ADD COLUMN replaces TEXT;
  ALTER TABLE keys ADD COLUMN clamps_output INTEGER NOT NULL DEFAULT 0;

  CREATE TABLE audit_events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at_ms INTEGER NOT NULL,
    type TEXT NOT NULL,
    actor TEXT NOT NULL,
    actor_key TEXT,
    organization TEXT,
    project TEXT,
    resource TEXT,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE TRIGGER audit_events_are_never_updated BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  CREATE TRIGGER audit_events_are_never_deleted BEFORE DELETE ON audit_events BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  CREATE TABLE audit_head (seal TEXT NOT NULL) STRICT;
  `,
];
