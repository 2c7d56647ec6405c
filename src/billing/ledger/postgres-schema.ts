import { ALLOWANCE_SCHEMA } from './allowance-schema.ts';

const APPEND_ONLY = ['events', 'event_ids', 'seals', 'dropped_usage', 'transactions', 'entries', 'prices'] as const;

/** No update and no delete, by anybody; parts of `events` are dropped whole. */
const triggers = APPEND_ONLY.map(
  (table) => `CREATE TRIGGER ${table}_are_never_changed BEFORE UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION refuse_change('the ledger is append-only');`,
).join('\n');

const TOKENS = `
  requests bigint NOT NULL,
  prompt_tokens bigint NOT NULL,
  cached_tokens bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  reasoning_tokens bigint NOT NULL`;

/**
 * The ledger's tables in PostgreSQL, as `LEDGER_MIGRATIONS` has them for SQLite. Besides: amounts are numbers; `events` are in parts by the month
 * in which they were booked, so that old ones can be dropped whole; ids of events are in a table of their own, for ever; and what gateways
 * have set aside is here.
 */
export const POSTGRES_LEDGER_MIGRATIONS: readonly string[] = [
  `
  CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;

  CREATE TABLE sources (source text PRIMARY KEY, position bigint NOT NULL);

  CREATE TABLE meters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    organization text NOT NULL,
    project text NOT NULL,
    key_id text NOT NULL,
    model text NOT NULL,
    endpoint text NOT NULL,
    tier text NOT NULL,
    price_row text,
    price_window text,
    price_input bigint NOT NULL,
    price_input_cached bigint NOT NULL,
    price_output bigint NOT NULL
  );
  CREATE INDEX meters_of_organization ON meters (organization);

  CREATE SEQUENCE events_seq;
  CREATE TABLE event_ids (event_id text COLLATE "C" PRIMARY KEY);
  CREATE TABLE events (
    seq bigint NOT NULL DEFAULT nextval('events_seq'),
    booked_month text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    meter bigint NOT NULL REFERENCES meters (id),
    at_ms bigint NOT NULL,
    invoice_month text COLLATE "C" NOT NULL,
    ${TOKENS}
  ) PARTITION BY LIST (booked_month);
  CREATE TABLE event_parts (month text COLLATE "C" PRIMARY KEY);
  CREATE INDEX events_by_seq ON events (seq);
  CREATE INDEX events_by_time ON events USING brin (at_ms);
  CREATE INDEX events_by_id ON events (event_id);

  CREATE TABLE seals (last_seq bigint PRIMARY KEY, first_seq bigint NOT NULL, hash text NOT NULL);

  CREATE TABLE dropped_months (
    month text COLLATE "C" PRIMARY KEY,
    last_seq bigint NOT NULL,
    hash text NOT NULL,
    seal text NOT NULL
  );
  CREATE TABLE dropped_usage (
    month text COLLATE "C" NOT NULL REFERENCES dropped_months (month),
    meter bigint NOT NULL REFERENCES meters (id),
    ${TOKENS},
    PRIMARY KEY (month, meter)
  );
  CREATE TRIGGER dropped_months_are_never_changed BEFORE UPDATE OR DELETE ON dropped_months FOR EACH ROW WHEN (OLD.seal <> '')
    EXECUTE FUNCTION refuse_change('the ledger is append-only');
  CREATE VIEW events_ever AS
    SELECT meter, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens FROM events
    UNION ALL SELECT meter, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens FROM dropped_usage;

  CREATE TABLE transactions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    organization text NOT NULL,
    reference text NOT NULL,
    recorded_at_ms bigint NOT NULL,
    UNIQUE (kind, reference)
  );
  CREATE TABLE entries (
    transaction_id bigint NOT NULL REFERENCES transactions (id),
    organization text NOT NULL,
    account text NOT NULL,
    amount numeric(38, 0) NOT NULL,
    PRIMARY KEY (transaction_id, account)
  );
  CREATE TABLE balances (
    organization text NOT NULL,
    account text NOT NULL,
    amount numeric(38, 0) NOT NULL,
    PRIMARY KEY (organization, account)
  );

  CREATE TABLE rollups (
    grain text NOT NULL,
    start_ms bigint NOT NULL,
    meter bigint NOT NULL REFERENCES meters (id),
    ${TOKENS},
    PRIMARY KEY (grain, meter, start_ms)
  );
  CREATE TABLE charges (
    organization text NOT NULL,
    invoice_month text COLLATE "C" NOT NULL,
    month text COLLATE "C" NOT NULL,
    meter bigint NOT NULL REFERENCES meters (id),
    ${TOKENS},
    last_seq bigint NOT NULL,
    PRIMARY KEY (organization, invoice_month, month, meter)
  );

  CREATE TABLE prices (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    model text NOT NULL,
    tier text NOT NULL,
    effective_from_ms bigint NOT NULL,
    input bigint NOT NULL,
    input_cached bigint NOT NULL,
    output bigint NOT NULL,
    created_at_ms bigint NOT NULL
  );

  CREATE TABLE customers (
    organization text PRIMARY KEY,
    terms text NOT NULL,
    buyer text,
    taxes text NOT NULL,
    updated_at_ms bigint NOT NULL
  );
  CREATE TABLE credits (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    organization text NOT NULL,
    kind text NOT NULL,
    amount numeric(38, 0) NOT NULL,
    note text NOT NULL,
    created_at_ms bigint NOT NULL
  );
  CREATE TABLE budgets (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    organization text NOT NULL,
    scope text NOT NULL,
    scope_id text NOT NULL,
    period text NOT NULL,
    amount numeric(38, 0) NOT NULL,
    is_hard bigint NOT NULL,
    warn_percents text NOT NULL,
    created_at_ms bigint NOT NULL,
    archived_at_ms bigint
  );
  CREATE INDEX budgets_of_organization ON budgets (organization) WHERE archived_at_ms IS NULL;
  CREATE TABLE budget_marks (
    budget text NOT NULL REFERENCES budgets (id),
    period text NOT NULL,
    percent bigint NOT NULL,
    PRIMARY KEY (budget, period, percent)
  );
  CREATE TABLE closed_months (organization text PRIMARY KEY, month text COLLATE "C" NOT NULL);

  CREATE TABLE series (prefix text PRIMARY KEY, last bigint NOT NULL);
  CREATE TABLE invoices (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    organization text NOT NULL,
    period text COLLATE "C" NOT NULL,
    status text NOT NULL,
    number text UNIQUE,
    snapshot text,
    created_at_ms bigint NOT NULL,
    finalized_at_ms bigint,
    due_at_ms bigint,
    paid_at_ms bigint,
    voided_at_ms bigint,
    UNIQUE (organization, period)
  );
  CREATE TRIGGER finalized_invoices_stay_as_they_are BEFORE UPDATE ON invoices FOR EACH ROW WHEN (OLD.status <> 'draft' AND (
    NEW.status = 'draft' OR
    (NEW.id, NEW.organization, NEW.period, NEW.number, NEW.snapshot, NEW.created_at_ms, NEW.finalized_at_ms, NEW.due_at_ms) IS DISTINCT FROM
    (OLD.id, OLD.organization, OLD.period, OLD.number, OLD.snapshot, OLD.created_at_ms, OLD.finalized_at_ms, OLD.due_at_ms)))
    EXECUTE FUNCTION refuse_change('a finalized invoice is never changed');
  CREATE TRIGGER finalized_invoices_are_never_deleted BEFORE DELETE ON invoices FOR EACH ROW WHEN (OLD.status <> 'draft')
    EXECUTE FUNCTION refuse_change('a finalized invoice is never deleted');
  CREATE TABLE credit_notes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    number text NOT NULL UNIQUE,
    invoice text NOT NULL REFERENCES invoices (id),
    amount numeric(38, 0) NOT NULL,
    reason text NOT NULL,
    created_at_ms bigint NOT NULL
  );
  CREATE TRIGGER credit_notes_are_never_changed BEFORE UPDATE OR DELETE ON credit_notes FOR EACH ROW EXECUTE FUNCTION refuse_change('a credit note is never changed');

  CREATE TABLE webhook_endpoints (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    organization text,
    url text NOT NULL,
    event_types text,
    secrets text NOT NULL,
    created_at_ms bigint NOT NULL,
    disabled_at_ms bigint,
    disabled_reason text,
    failing_since_ms bigint
  );
  CREATE TABLE webhook_events (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    type text NOT NULL,
    organization text,
    created_at_ms bigint NOT NULL,
    payload text NOT NULL
  );
  CREATE INDEX webhook_events_of_organization ON webhook_events (organization, seq);
  CREATE TABLE webhook_deliveries (
    event bigint NOT NULL REFERENCES webhook_events (seq),
    endpoint bigint NOT NULL REFERENCES webhook_endpoints (seq) ON DELETE CASCADE,
    state text NOT NULL,
    attempts bigint NOT NULL,
    next_attempt_at_ms bigint,
    delivered_at_ms bigint,
    last_status bigint,
    last_error text,
    PRIMARY KEY (event, endpoint)
  );
  CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (endpoint, next_attempt_at_ms) WHERE state = 'pending';
  ${ALLOWANCE_SCHEMA}
  ${triggers}
  `,
];
