/**
 * `events` is the journal: appended to, never changed, its `seq` the order in which it is shipped. A row without an
 * attempt is a request's record; one with an attempt adjusts it. `open_requests` and `totals` are working state that
 * changes in the same transactions.
 */
export const JOURNAL_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    attempt_id TEXT,
    key_id TEXT,
    body TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX one_record_per_request ON events (request_id) WHERE attempt_id IS NULL;
  CREATE UNIQUE INDEX one_adjustment_per_attempt ON events (request_id, attempt_id) WHERE attempt_id IS NOT NULL;
  CREATE INDEX records_of_key ON events (key_id, seq) WHERE attempt_id IS NULL;
  CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

  CREATE TABLE open_requests (
    request_id TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    checkpoint TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE totals (
    requests INTEGER NOT NULL,
    adjustments INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL
  ) STRICT;
  INSERT INTO totals VALUES (0, 0, 0, 0, 0, 0);
  `,
];
