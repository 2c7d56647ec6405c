/** The tables of accounts in PostgreSQL, as `ACCOUNT_MIGRATIONS` has them for SQLite. */
export const POSTGRES_ACCOUNT_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE organizations (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    name text NOT NULL,
    limits text NOT NULL,
    created_at_ms bigint NOT NULL
  );
  CREATE TABLE projects (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    organization text NOT NULL REFERENCES organizations (id),
    name text NOT NULL,
    limits text NOT NULL,
    model_limits text NOT NULL,
    created_at_ms bigint NOT NULL,
    archived_at_ms bigint
  );
  CREATE INDEX projects_of_organization ON projects (organization, seq);
  CREATE TABLE service_accounts (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    project text NOT NULL REFERENCES projects (id),
    name text NOT NULL,
    created_at_ms bigint NOT NULL,
    deleted_at_ms bigint
  );
  CREATE TABLE keys (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    hash bytea NOT NULL UNIQUE,
    kind text NOT NULL,
    name text NOT NULL,
    hint text NOT NULL,
    organization text NOT NULL,
    project text NOT NULL,
    regions text,
    models text,
    scopes text NOT NULL,
    created_at_ms bigint NOT NULL,
    expires_at_ms bigint,
    revoked_at_ms bigint,
    last_used_at_ms bigint,
    priority_max text NOT NULL DEFAULT 'standard',
    cidrs text,
    limits text NOT NULL DEFAULT '{}',
    service_account text,
    replaces text,
    clamps_output bigint NOT NULL DEFAULT 0
  );
  CREATE INDEX keys_of_project ON keys (project, seq);
  CREATE TABLE pepper_check (fingerprint bytea NOT NULL);

  CREATE TABLE audit_events (
    seq bigint PRIMARY KEY,
    id text NOT NULL UNIQUE,
    at_ms bigint NOT NULL,
    type text NOT NULL,
    actor text NOT NULL,
    actor_key text,
    organization text,
    project text,
    resource text,
    detail text NOT NULL,
    hash text NOT NULL
  );
  CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
  CREATE TRIGGER audit_events_are_never_changed BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
  CREATE TABLE audit_head (seal text NOT NULL);
  `,
];
