import type { Usage } from '../../openai/index.ts';
import type { Adjustment, UsageRecord } from '../usage-record.ts';

/**
 * What one commit writes. Flat lists of texts rather than objects: a structured clone of them costs a tenth, and the
 * texts go into the database as they are.
 */
export interface Batch {
  /** Request id, open request as JSON; repeated. */
  readonly opens: string[];
  /** Request id, checkpoint as JSON; repeated. */
  readonly checkpoints: string[];
  /** Request id, key id, record as JSON; repeated. */
  readonly settles: string[];
  /** The sum of the records' usage. */
  readonly usage: Usage;
  /** Ids of settled requests that an earlier batch opened. */
  readonly closes: string[];
  /** Attempt id, adjustment as JSON; repeated. */
  readonly adjustments: string[];
}

/** Fields per record in `Batch.settles`. */
export const SETTLE_FIELDS = 3;

/** A record with the later truth about it. */
export interface JournalEntry {
  readonly record: UsageRecord;
  readonly adjustments: readonly Adjustment[];
}

export interface JournalQuery {
  /** Request id to go on behind. */
  readonly after?: string | undefined;
  /** `asc`, the default: oldest first. */
  readonly order?: 'asc' | 'desc' | undefined;
  /** At most this many, 1 to 1,000. */
  readonly limit: number;
  /** Only this key's requests. */
  readonly keyId?: string | undefined;
}

export interface JournalPage {
  readonly entries: readonly JournalEntry[];
  readonly hasMore: boolean;
}

/** Sums over all records as first settled; adjustments are counted, not added. */
export interface JournalTotals {
  readonly requests: number;
  readonly adjustments: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
}

/** What became of a committed batch. */
export interface WriteReport {
  /** Which of its records (0 is the first) were kept out because the request is settled with another content. */
  readonly conflicts: readonly number[];
  /** Attempts of late settlements that belong to no request of this journal. */
  readonly strangers: readonly string[];
}

export type ReadRequest =
  | { readonly kind: 'find'; readonly requestId: string }
  | { readonly kind: 'list'; readonly query: JournalQuery }
  | { readonly kind: 'totals' };

export type ToThread =
  | { readonly kind: 'write'; readonly batch: Batch }
  | { readonly kind: 'read'; readonly call: number; readonly request: ReadRequest }
  | { readonly kind: 'close' };

export type FromThread =
  | { readonly kind: 'ready'; readonly interrupted: number }
  | { readonly kind: 'written'; readonly report: WriteReport }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'unanswered'; readonly call: number; readonly reason: string };

/** What the thread is started with. */
export interface ThreadSettings {
  readonly path: string;
}
