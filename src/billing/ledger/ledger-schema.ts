import { WEBHOOK_MIGRATION } from '../webhooks/webhook-schema.ts';
import { INVOICE_SCHEMA } from './invoice-schema.ts';

/**
 * `events`, `transactions` and `entries` are what happened: appended to, never changed. `rollups`, `charges` and `balances`
 * are projections: they change in the same transactions, and can be made again from the events and entries.
 * Amounts are femto-dollars as decimal text, since SQLite's integers end at $9,223; sums of tokens fit them by far.
 */
export const LEDGER_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE sources (source TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT;

  CREATE TABLE meters (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    organization TEXT NOT NULL,
    project TEXT NOT NULL,
    key_id TEXT NOT NULL,
    model TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    tier TEXT NOT NULL,
    price_row TEXT,
    price_window TEXT,
    price_input INTEGER NOT NULL,
    price_input_cached INTEGER NOT NULL,
    price_output INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX meters_of_organization ON meters (organization);

  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    meter INTEGER NOT NULL REFERENCES meters (id),
    at_ms INTEGER NOT NULL,
    invoice_month TEXT NOT NULL,
    requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX events_by_time ON events (at_ms);
  CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

  CREATE TABLE seals (
    last_seq INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE TRIGGER seals_are_never_updated BEFORE UPDATE ON seals BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  CREATE TRIGGER seals_are_never_deleted BEFORE DELETE ON seals BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

  CREATE TABLE transactions (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    organization TEXT NOT NULL,
    reference TEXT NOT NULL,
    recorded_at_ms INTEGER NOT NULL,
    UNIQUE (kind, reference)
  ) STRICT;
  CREATE TRIGGER transactions_are_never_updated BEFORE UPDATE ON transactions BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  CREATE TRIGGER transactions_are_never_deleted BEFORE DELETE ON transactions BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

  CREATE TABLE entries (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    organization TEXT NOT NULL,
    account TEXT NOT NULL,
    amount TEXT NOT NULL,
    PRIMARY KEY (transaction_id, account)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER entries_are_never_updated BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
  CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

  CREATE TABLE balances (
    organization TEXT NOT NULL,
    account TEXT NOT NULL,
    amount TEXT NOT NULL,
    PRIMARY KEY (organization, account)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE rollups (
    grain TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    meter INTEGER NOT NULL REFERENCES meters (id),
    requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    PRIMARY KEY (grain, meter, start_ms)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE charges (
    organization TEXT NOT NULL,
    invoice_month TEXT NOT NULL,
    month TEXT NOT NULL,
    meter INTEGER NOT NULL REFERENCES meters (id),
    requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (organization, invoice_month, month, meter)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE prices (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    tier TEXT NOT NULL,
    effective_from_ms INTEGER NOT NULL,
    input INTEGER NOT NULL,
    input_cached INTEGER NOT NULL,
    output INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TRIGGER prices_are_never_updated BEFORE UPDATE ON prices BEGIN SELECT RAISE(ABORT, 'prices are append-only'); END;
  CREATE TRIGGER prices_are_never_deleted BEFORE DELETE ON prices BEGIN SELECT RAISE(ABORT, 'prices are append-only'); END;

  CREATE TABLE customers (
    organization TEXT PRIMARY KEY,
    terms TEXT NOT NULL,
    buyer TEXT,
    taxes TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE credits (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    organization TEXT NOT NULL,
    kind TEXT NOT NULL,
    amount TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE budgets (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    organization TEXT NOT NULL,
    scope TEXT NOT NULL,
    scope_id TEXT NOT NULL,
    period TEXT NOT NULL,
    amount TEXT NOT NULL,
    is_hard INTEGER NOT NULL,
    warn_percents TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    archived_at_ms INTEGER
  ) STRICT;

  CREATE TABLE budget_marks (
    budget TEXT NOT NULL REFERENCES budgets (id),
    period TEXT NOT NULL,
    percent INTEGER NOT NULL,
    PRIMARY KEY (budget, period, percent)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE closed_months (organization TEXT PRIMARY KEY, month TEXT NOT NULL) STRICT, WITHOUT ROWID;
  ${INVOICE_SCHEMA}
  ${WEBHOOK_MIGRATION}
  `,
  // Single events are dropped in PostgreSQL only; here the tables say that none were.
  `
  CREATE TABLE dropped_months (month TEXT PRIMARY KEY, last_seq INTEGER NOT NULL, hash TEXT NOT NULL, seal TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE dropped_usage (
    month TEXT NOT NULL REFERENCES dropped_months (month),
    meter INTEGER NOT NULL REFERENCES meters (id),
    requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    PRIMARY KEY (month, meter)
  ) STRICT, WITHOUT ROWID;
  CREATE VIEW events_ever AS
    SELECT meter, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens FROM events
    UNION ALL SELECT meter, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens FROM dropped_usage;
  `,
];
