import type { ErrorCode } from '../../core/index.ts';
import type { WebhookStore } from '../webhooks/webhook-store.ts';
import type { LedgerEvent } from './ledger-event.ts';
import type { TakenOff } from './allowance-table.ts';
import type { Ledger } from './ledger.ts';
import type { Reconciliation } from './reconcile.ts';

/** What the ledger's thread does: keep the books, and fill them from the journal beside it. */
export interface LedgerService extends Ledger {
  /** Brings everything the journal has by now into the ledger; resolves with how many lines that were. */
  ship(nowMs: number): Promise<number>;
  /**
   * Holds the counts of a UTC day's requests against each other. With `post`, corrections are applied; again, they change
   * nothing. Rejects with `invalid_value` unless it is a day.
   */
  reconcile(day: string, post: boolean, nowMs: number): Promise<Reconciliation>;
  /** Who is told of what happens in it. */
  readonly webhooks: WebhookStore;
}

export type LedgerMethod = Exclude<keyof LedgerService, 'close' | 'webhooks'>;

export type WebhookMethod = keyof WebhookStore;

/** Where the books are kept: in an SQLite file of a locked data directory, or in a database that several gateways share. */
export type LedgerDatabase =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly connectionsMax: number; readonly statementMs: number };

/** What the thread is started with. */
export interface LedgerThreadSettings {
  readonly database: LedgerDatabase;
  readonly journalPath: string;
  /** A database that knows less of the journal than it did before is taken as it is. */
  readonly acceptsRestored: boolean;
  /** Name of the journal in the ledger. */
  readonly source: string;
  readonly sealKey: Uint8Array;
}

export interface LedgerCall {
  readonly call: number;
  readonly target: 'ledger' | 'webhooks';
  readonly method: LedgerMethod | WebhookMethod | 'close';
  readonly args: readonly unknown[];
}

export type FromLedgerThread =
  | { readonly kind: 'ready' }
  /** It cannot be opened, and why. */
  | { readonly kind: 'refused'; readonly error: CarriedError }
  /** New in the ledger; comes before any answer that has it in it. */
  | { readonly kind: 'booked'; readonly requests: readonly string[]; readonly corrections: readonly LedgerEvent[]; readonly takenOff: readonly TakenOff[] }
  | { readonly kind: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly call: number; readonly error: CarriedError };

/** A `MeridianError` on its way between threads; other errors have no code. */
export interface CarriedError {
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly param: string | null;
}
