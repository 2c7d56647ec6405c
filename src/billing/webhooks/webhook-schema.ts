import type { Generated } from 'kysely';

/** Endpoints, what they are to be told, and what became of that. An event and its deliveries are written with what they tell of. */
export const WEBHOOK_MIGRATION = `
  CREATE TABLE webhook_endpoints (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    organization TEXT,
    url TEXT NOT NULL,
    event_types TEXT,
    secrets TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    disabled_at_ms INTEGER,
    disabled_reason TEXT,
    failing_since_ms INTEGER
  ) STRICT;

  CREATE TABLE webhook_events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    organization TEXT,
    created_at_ms INTEGER NOT NULL,
    payload TEXT NOT NULL
  ) STRICT;
  CREATE INDEX webhook_events_of_organization ON webhook_events (organization, seq);

  CREATE TABLE webhook_deliveries (
    event INTEGER NOT NULL REFERENCES webhook_events (seq),
    endpoint INTEGER NOT NULL REFERENCES webhook_endpoints (seq) ON DELETE CASCADE,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at_ms INTEGER,
    delivered_at_ms INTEGER,
    last_status INTEGER,
    last_error TEXT,
    PRIMARY KEY (event, endpoint)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (endpoint, next_attempt_at_ms) WHERE state = 'pending';
`;

export interface WebhookTables {
  readonly webhook_endpoints: {
    readonly seq: Generated<number>;
    readonly id: string;
    readonly organization: string | null;
    readonly url: string;
    /** JSON list, or null for all. */
    readonly event_types: string | null;
    /** JSON list of `StoredSecret`. */
    readonly secrets: string;
    readonly created_at_ms: number;
    readonly disabled_at_ms: number | null;
    readonly disabled_reason: string | null;
    readonly failing_since_ms: number | null;
  };
  readonly webhook_events: {
    readonly seq: Generated<number>;
    readonly id: string;
    readonly type: string;
    readonly organization: string | null;
    readonly created_at_ms: number;
    readonly payload: string;
  };
  readonly webhook_deliveries: {
    /** `seq` of the event and of the endpoint. */
    readonly event: number;
    readonly endpoint: number;
    readonly state: string;
    readonly attempts: number;
    /** While it is under way, when it counts as lost and is sent again. */
    readonly next_attempt_at_ms: number | null;
    readonly delivered_at_ms: number | null;
    readonly last_status: number | null;
    readonly last_error: string | null;
  };
}
