import type { ListQuery } from '../ledger/ledger.ts';
import type { StoredSecret, WebhookEndpoint, WebhookEvent, WebhookEventType, WebhookSubject } from './webhook.ts';
import type { WebhookQueue } from './webhook-queue.ts';

export type NewWebhookEndpoint = Omit<WebhookEndpoint, 'state' | 'failingSinceMs'>;

/** What is left out stays as it is. */
export interface EndpointChange {
  readonly url?: string | undefined;
  readonly eventTypes?: readonly WebhookSubject[] | null | undefined;
  readonly isEnabled?: boolean | undefined;
}

export interface WebhookEventQuery extends ListQuery {
  readonly type?: WebhookEventType | undefined;
  readonly order: 'asc' | 'desc';
}

/**
 * Endpoints and events where the ledger is. All arguments and answers can be sent between threads; each call is one
 * transaction. Null and false: there is none with that id.
 */
export interface WebhookStore extends WebhookQueue {
  /** Rejects with `conflict` when its organization has as many as it may. */
  addEndpoint(endpoint: NewWebhookEndpoint): Promise<WebhookEndpoint>;
  endpoint(id: string): Promise<WebhookEndpoint | null>;
  /** In the order they were made. Rejects with `invalid_value` when `after` is none. */
  endpoints(query: ListQuery): Promise<readonly WebhookEndpoint[]>;
  changeEndpoint(id: string, change: EndpointChange, nowMs: number): Promise<WebhookEndpoint | null>;
  /** The new secret signs at once, those before it until `oldUntilMs` at the latest. */
  addSecret(id: string, secret: StoredSecret, oldUntilMs: number, nowMs: number): Promise<WebhookEndpoint | null>;
  /** And what became of its deliveries. */
  removeEndpoint(id: string): Promise<boolean>;
  /** An event for this endpoint alone. Rejects with `conflict` when it is disabled. */
  testEndpoint(id: string, nowMs: number): Promise<WebhookEvent | null>;
  event(id: string): Promise<WebhookEvent | null>;
  events(query: WebhookEventQuery): Promise<readonly WebhookEvent[]>;
  /**
   * Sends an event once more: to the endpoints that would be told of it now, or to one of these. Rejects with `conflict`
   * when that one is none of them.
   */
  redeliver(id: string, endpoint: string | null, nowMs: number): Promise<WebhookEvent | null>;
}
