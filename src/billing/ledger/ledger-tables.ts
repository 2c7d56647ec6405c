import type { Generated, Insertable, Selectable } from 'kysely';
import type { WebhookTables } from '../webhooks/webhook-schema.ts';
import type { InvoiceTables } from './invoice-schema.ts';

interface TokenColumns {
  readonly requests: number;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly completion_tokens: number;
  readonly reasoning_tokens: number;
}

export interface LedgerTables extends InvoiceTables, WebhookTables {
  /** How far each journal was applied. */
  readonly sources: { readonly source: string; readonly position: number };
  /** What is counted together: everything of an event but its time and its tokens. */
  readonly meters: {
    readonly id: Generated<number>;
    readonly name: string;
    readonly organization: string;
    readonly project: string;
    readonly key_id: string;
    readonly model: string;
    readonly endpoint: string;
    readonly tier: string;
    readonly price_row: string | null;
    readonly price_window: string | null;
    readonly price_input: number;
    readonly price_input_cached: number;
    readonly price_output: number;
  };
  readonly events: TokenColumns & {
    readonly seq: Generated<number>;
    readonly event_id: string;
    readonly kind: string;
    readonly meter: number;
    readonly at_ms: number;
    readonly invoice_month: string;
  };
  /** Months of booking whose single events were dropped: the last of them with its seal, and what this note is sealed by. */
  readonly dropped_months: { readonly month: string; readonly last_seq: number; readonly hash: string; readonly seal: string };
  /** What they came to. */
  readonly dropped_usage: TokenColumns & { readonly month: string; readonly meter: number };
  /** A view of all events there ever were, some of them in sums. */
  readonly events_ever: TokenColumns & { readonly meter: number };
  /** Each chains the events of one batch to the seal before. */
  readonly seals: { readonly last_seq: number; readonly first_seq: number; readonly hash: string };
  readonly transactions: {
    readonly id: Generated<number>;
    readonly kind: string;
    readonly organization: string;
    readonly reference: string;
    readonly recorded_at_ms: number;
  };
  readonly entries: { readonly transaction_id: number; readonly organization: string; readonly account: string; readonly amount: string };
  readonly balances: { readonly organization: string; readonly account: string; readonly amount: string };
  readonly rollups: TokenColumns & { readonly grain: string; readonly start_ms: number; readonly meter: number };
  readonly charges: TokenColumns & {
    readonly organization: string;
    readonly invoice_month: string;
    readonly month: string;
    readonly meter: number;
    readonly last_seq: number;
  };
  /** Rows that were added to the book while the gateway ran: for good, and at all hours. */
  readonly prices: {
    readonly seq: Generated<number>;
    readonly id: string;
    readonly model: string;
    readonly tier: string;
    readonly effective_from_ms: number;
    readonly input: number;
    readonly input_cached: number;
    readonly output: number;
    readonly created_at_ms: number;
  };
  readonly customers: { readonly organization: string; readonly terms: string; readonly buyer: string | null; readonly taxes: string; readonly updated_at_ms: number };
  readonly credits: {
    readonly seq: Generated<number>;
    readonly id: string;
    readonly organization: string;
    readonly kind: string;
    readonly amount: string;
    readonly note: string;
    readonly created_at_ms: number;
  };
  readonly budgets: {
    readonly seq: Generated<number>;
    readonly id: string;
    readonly organization: string;
    readonly scope: string;
    readonly scope_id: string;
    readonly period: string;
    readonly amount: string;
    readonly is_hard: number;
    readonly warn_percents: string;
    readonly created_at_ms: number;
    readonly archived_at_ms: number | null;
  };
  /** What was said already of a budget in a period. */
  readonly budget_marks: { readonly budget: string; readonly period: string; readonly percent: number };
  readonly closed_months: { readonly organization: string; readonly month: string };
}

export type MeterRow = Selectable<LedgerTables['meters']>;
export type EventRow = Insertable<LedgerTables['events']>;
