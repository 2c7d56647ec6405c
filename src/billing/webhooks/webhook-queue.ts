import type { StoredSecret } from './webhook.ts';

export interface ClaimOptions {
  readonly nowMs: number;
  /** At most this many, one per endpoint. */
  readonly limit: number;
  /** For how long nobody else gets them. */
  readonly leaseMs: number;
  /** Ids of endpoints that have enough to do. */
  readonly except: readonly string[];
}

/** A delivery that one deliverer has for the time of the lease. */
export interface WebhookJob {
  /** Id of the event: the same at each attempt. */
  readonly event: string;
  readonly endpoint: string;
  readonly url: string;
  readonly secrets: readonly StoredSecret[];
  readonly payload: string;
  /** How often it was sent before. */
  readonly attempts: number;
}

export type JobKey = Pick<WebhookJob, 'event' | 'endpoint' | 'attempts'>;

/** What comes after an attempt that failed. */
export type AfterFailure =
  | { readonly kind: 'retry'; readonly atMs: number }
  | { readonly kind: 'give_up' }
  /** The endpoint says that it is no more: it is disabled. */
  | { readonly kind: 'gone' };

export interface FailedAttempt {
  readonly nowMs: number;
  readonly status: number | null;
  readonly error: string;
  readonly next: AfterFailure;
}

/**
 * What is to be delivered, durably. A claim of which nothing is noted within its lease is given out again, so what was
 * sent when a process died is sent again. A note that comes after somebody else's changes nothing.
 */
export interface WebhookQueue {
  claim(options: ClaimOptions): Promise<readonly WebhookJob[]>;
  delivered(job: JobKey, nowMs: number, status: number): Promise<void>;
  failed(job: JobKey, attempt: FailedAttempt): Promise<void>;
}
