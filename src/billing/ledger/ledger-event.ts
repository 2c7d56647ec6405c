import type { Usage } from '../../openai/index.ts';
import type { RequestPrice } from '../prices/charge.ts';
import type { Endpoint } from '../usage-record.ts';

/** What is counted together, and charged by one price. */
export interface Meter {
  readonly organization: string;
  readonly project: string;
  readonly keyId: string;
  readonly model: string;
  readonly endpoint: Endpoint;
  /** Null for a model that costs nothing. */
  readonly price: RequestPrice | null;
}

/**
 * A rated event: what a request used, or by how much later truth differs from what was recorded before. What it costs
 * follows from its tokens and the price in its meter, so it is not said a second time.
 */
export interface LedgerEvent {
  /** Applied once, for ever: the request's id, the attempt's id of a late settlement, or that of a correction. */
  readonly id: string;
  readonly kind: 'request' | 'adjustment' | 'correction';
  readonly meter: Meter;
  /** Wall time of the request's admission, milliseconds since the epoch. */
  readonly atMs: number;
  /** Differences, which may be negative, unless the kind is `request`. */
  readonly usage: Usage;
}
