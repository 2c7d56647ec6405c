/** What organizations and operators can be told of. */
export const WEBHOOK_EVENT_TYPES = [
  'invoice.created',
  'invoice.finalized',
  'invoice.paid',
  'invoice.voided',
  'credit_note.created',
  'budget.reached',
  'budget.threshold_reached',
] as const;

/** What an endpoint can ask for. */
export type WebhookSubject = (typeof WEBHOOK_EVENT_TYPES)[number];

/** `webhook.test` is sent by hand, to one endpoint. */
export type WebhookEventType = WebhookSubject | 'webhook.test';

export type EndpointState =
  | { readonly kind: 'enabled' }
  /** `gone`: it answered 410 itself. */
  | { readonly kind: 'disabled'; readonly atMs: number; readonly reason: 'gone' | 'administrator' };

/** A secret as it is stored: sealed. The newest has no end. */
export interface StoredSecret {
  readonly sealed: string;
  /** Wall time until which it signs beside the newer ones. */
  readonly untilMs: number | null;
}

export interface WebhookEndpoint {
  /** `we_…` */
  readonly id: string;
  /** Whose events it gets; null: the operator's, which gets everybody's. */
  readonly organization: string | null;
  readonly url: string;
  /** Null: all of them. */
  readonly eventTypes: readonly WebhookSubject[] | null;
  /** Newest first; at least one. */
  readonly secrets: readonly StoredSecret[];
  readonly createdAtMs: number;
  readonly state: EndpointState;
  /** When a delivery to it was first given up, if none has succeeded since. */
  readonly failingSinceMs: number | null;
}

export interface WebhookDelivery {
  readonly endpoint: string;
  readonly state: 'pending' | 'delivered' | 'failed';
  /** How often it was sent. */
  readonly attempts: number;
  /** Null unless it is pending. */
  readonly nextAttemptAtMs: number | null;
  readonly deliveredAtMs: number | null;
  /** Of the last answer; null when there was none. */
  readonly lastStatus: number | null;
  readonly lastError: string | null;
}

export interface WebhookEvent {
  /** `evt_…` */
  readonly id: string;
  readonly type: WebhookEventType;
  readonly organization: string | null;
  readonly createdAtMs: number;
  /** What is sent, byte for byte, as often as it is sent. */
  readonly payload: string;
  readonly deliveries: readonly WebhookDelivery[];
}
