import type { Generated } from 'kysely';

/** Invoices and credit notes. What a finalized one says cannot be changed, and none can be taken away. */
export const INVOICE_SCHEMA = `
  CREATE TABLE series (prefix TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE invoices (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    organization TEXT NOT NULL,
    period TEXT NOT NULL,
    status TEXT NOT NULL,
    number TEXT UNIQUE,
    snapshot TEXT,
    created_at_ms INTEGER NOT NULL,
    finalized_at_ms INTEGER,
    due_at_ms INTEGER,
    paid_at_ms INTEGER,
    voided_at_ms INTEGER,
    UNIQUE (organization, period)
  ) STRICT;
  CREATE TRIGGER finalized_invoices_stay_as_they_are BEFORE UPDATE ON invoices WHEN OLD.status <> 'draft' AND (
    NEW.id <> OLD.id OR NEW.organization <> OLD.organization OR NEW.period <> OLD.period OR NEW.number <> OLD.number OR
    NEW.snapshot <> OLD.snapshot OR NEW.created_at_ms <> OLD.created_at_ms OR NEW.finalized_at_ms <> OLD.finalized_at_ms OR
    NEW.due_at_ms <> OLD.due_at_ms OR NEW.status = 'draft')
    BEGIN SELECT RAISE(ABORT, 'a finalized invoice is never changed'); END;
  CREATE TRIGGER finalized_invoices_are_never_deleted BEFORE DELETE ON invoices WHEN OLD.status <> 'draft'
    BEGIN SELECT RAISE(ABORT, 'a finalized invoice is never deleted'); END;

  CREATE TABLE credit_notes (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    number TEXT NOT NULL UNIQUE,
    invoice TEXT NOT NULL REFERENCES invoices (id),
    amount TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TRIGGER credit_notes_are_never_updated BEFORE UPDATE ON credit_notes BEGIN SELECT RAISE(ABORT, 'a credit note is never changed'); END;
  CREATE TRIGGER credit_notes_are_never_deleted BEFORE DELETE ON credit_notes BEGIN SELECT RAISE(ABORT, 'a credit note is never deleted'); END;
`;

export interface InvoiceTables {
  /** The last number given of each series. */
  readonly series: { readonly prefix: string; readonly last: number };
  readonly invoices: {
    readonly seq: Generated<number>;
    readonly id: string;
    readonly organization: string;
    readonly period: string;
    readonly status: string;
    readonly number: string | null;
    readonly snapshot: string | null;
    readonly created_at_ms: number;
    readonly finalized_at_ms: number | null;
    readonly due_at_ms: number | null;
    readonly paid_at_ms: number | null;
    readonly voided_at_ms: number | null;
  };
  readonly credit_notes: {
    readonly seq: Generated<number>;
    readonly id: string;
    readonly number: string;
    readonly invoice: string;
    readonly amount: string;
    readonly reason: string;
    readonly created_at_ms: number;
  };
}
