import { Type, type Static } from 'typebox';
import { epochSeconds } from '../../core/index.ts';
import { WEBHOOK_EVENT_TYPES, type WebhookDelivery, type WebhookEndpoint, type WebhookEvent } from '../../billing/index.ts';

const Text = Type.Union([Type.String(), Type.Null()]);
const Time = Type.Union([Type.Integer(), Type.Null()]);
const Types = Type.Union([Type.Array(Type.Enum([...WEBHOOK_EVENT_TYPES])), Type.Null()], { description: 'Null: all.' });

export const EndpointObject = Type.Object({
  object: Type.Literal('webhook_endpoint'),
  id: Type.String(),
  organization: Type.Union([Type.String(), Type.Null()], { description: 'Null: it is the operator’s, and gets the events of all.' }),
  url: Type.String(),
  event_types: Types,
  status: Type.Enum(['enabled', 'disabled']),
  disabled_reason: Type.Union([Type.String(), Type.Null()], { description: 'gone, when it answered 410 itself, or administrator.' }),
  disabled_at: Time,
  failing_since: Type.Union([Type.Integer(), Type.Null()], { description: 'When a delivery to it was first given up, if none has succeeded since.' }),
  old_secrets_until: Type.Union([Type.Integer(), Type.Null()], { description: 'Until when secrets before the newest one sign too.' }),
  created_at: Type.Integer(),
});

export const EndpointWithSecretObject = Type.Object({
  ...EndpointObject.properties,
  secret: Type.String({ description: 'Checks the signatures. Shown once.' }),
});

export const DeletedEndpointObject = Type.Object({ object: Type.Literal('webhook_endpoint.deleted'), id: Type.String(), deleted: Type.Literal(true) });

const DeliveryObject = Type.Object({
  endpoint: Type.String(),
  status: Type.Enum(['pending', 'delivered', 'failed']),
  attempts: Type.Integer(),
  next_attempt_at: Time,
  delivered_at: Time,
  last_status: Type.Union([Type.Integer(), Type.Null()], { description: 'HTTP status of the last answer.' }),
  last_error: Text,
});

export const EventObject = Type.Object({
  object: Type.Literal('webhook_event'),
  id: Type.String(),
  type: Type.String(),
  organization: Text,
  created_at: Type.Integer(),
  data: Type.Unknown({ description: 'What it is about, as it is sent.' }),
  deliveries: Type.Array(DeliveryObject),
});

export function endpointObject({ id, organization, url, eventTypes, state, failingSinceMs, secrets, createdAtMs }: WebhookEndpoint): Static<typeof EndpointObject> {
  const ends = secrets.flatMap(({ untilMs }) => untilMs ?? []);
  return {
    object: 'webhook_endpoint',
    id,
    organization,
    url,
    event_types: eventTypes === null ? null : [...eventTypes],
    status: state.kind,
    disabled_reason: state.kind === 'disabled' ? state.reason : null,
    disabled_at: state.kind === 'disabled' ? epochSeconds(state.atMs) : null,
    failing_since: time(failingSinceMs),
    old_secrets_until: ends.length === 0 ? null : epochSeconds(Math.max(...ends)),
    created_at: epochSeconds(createdAtMs),
  };
}

export function eventObject({ id, type, organization, createdAtMs, payload, deliveries }: WebhookEvent): Static<typeof EventObject> {
  const data: unknown = Reflect.get(Object(JSON.parse(payload)), 'data');
  return { object: 'webhook_event', id, type, organization, created_at: epochSeconds(createdAtMs), data, deliveries: deliveries.map(deliveryObject) };
}

function deliveryObject(delivery: WebhookDelivery): Static<typeof DeliveryObject> {
  return {
    endpoint: delivery.endpoint,
    status: delivery.state,
    attempts: delivery.attempts,
    next_attempt_at: time(delivery.nextAttemptAtMs),
    delivered_at: time(delivery.deliveredAtMs),
    last_status: delivery.lastStatus,
    last_error: delivery.lastError,
  };
}

function time(atMs: number | null): number | null {
  return atMs === null ? null : epochSeconds(atMs);
}
