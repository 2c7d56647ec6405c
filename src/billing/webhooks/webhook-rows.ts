import type { Selectable } from 'kysely';
import type { EndpointState, StoredSecret, WebhookDelivery, WebhookEndpoint, WebhookSubject } from './webhook.ts';
import type { WebhookTables } from './webhook-schema.ts';

export type EndpointRow = Selectable<WebhookTables['webhook_endpoints']>;

export function endpointOf(row: EndpointRow): WebhookEndpoint {
  return {
    id: row.id,
    organization: row.organization,
    url: row.url,
    eventTypes: row.event_types === null ? null : (JSON.parse(row.event_types) as WebhookSubject[]),
    secrets: JSON.parse(row.secrets) as StoredSecret[],
    createdAtMs: row.created_at_ms,
    state: stateOf(row),
    failingSinceMs: row.failing_since_ms,
  };
}

function stateOf({ disabled_at_ms: atMs, disabled_reason: reason }: EndpointRow): EndpointState {
  return atMs === null ? { kind: 'enabled' } : { kind: 'disabled', atMs, reason: reason === 'gone' ? 'gone' : 'administrator' };
}

/** With the id of its endpoint. */
export type DeliveryRow = Omit<Selectable<WebhookTables['webhook_deliveries']>, 'endpoint'> & { readonly endpoint: string };

export function deliveryOf(row: DeliveryRow): WebhookDelivery {
  return {
    endpoint: row.endpoint,
    state: row.state as WebhookDelivery['state'],
    attempts: row.attempts,
    nextAttemptAtMs: row.next_attempt_at_ms,
    deliveredAtMs: row.delivered_at_ms,
    lastStatus: row.last_status,
    lastError: row.last_error,
  };
}
