import type { Kysely, Selectable } from 'kysely';
import { MeridianError } from '../../core/index.ts';
import type { WebhookDelivery, WebhookEvent, WebhookEventType } from './webhook.ts';
import { deliveryOf } from './webhook-rows.ts';
import type { WebhookTables } from './webhook-schema.ts';
import type { WebhookEventQuery } from './webhook-store.ts';

type EventRow = Selectable<WebhookTables['webhook_events']>;

export async function findEvent(db: Kysely<WebhookTables>, id: string): Promise<WebhookEvent | null> {
  const row = await db.selectFrom('webhook_events').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) return null;
  const [event] = await withDeliveries(db, [row]);
  return event ?? null;
}

/** Throws `invalid_value` when `after` is none. */
export async function listEvents(db: Kysely<WebhookTables>, { organization, type, after, limit, order }: WebhookEventQuery): Promise<readonly WebhookEvent[]> {
  let rows = db.selectFrom('webhook_events').selectAll();
  if (organization !== undefined) rows = rows.where('organization', '=', organization);
  if (type !== undefined) rows = rows.where('type', '=', type);
  if (after !== undefined) {
    const row = await db.selectFrom('webhook_events').select('seq').where('id', '=', after).executeTakeFirst();
    if (row === undefined) throw new MeridianError('invalid_value', { param: 'after', message: `There is no webhook event ${after}.` });
    rows = rows.where('seq', order === 'asc' ? '>' : '<', row.seq);
  }
  return withDeliveries(db, await rows.orderBy('seq', order).limit(limit).execute());
}

async function withDeliveries(db: Kysely<WebhookTables>, events: readonly EventRow[]): Promise<readonly WebhookEvent[]> {
  const deliveries = new Map<number, WebhookDelivery[]>(events.map(({ seq }) => [seq, []]));
  if (events.length > 0) {
    const rows = await db
      .selectFrom('webhook_deliveries as delivery')
      .innerJoin('webhook_endpoints as endpoint', 'endpoint.seq', 'delivery.endpoint')
      .selectAll('delivery')
      .select('endpoint.id as endpoint_id')
      .where('delivery.event', 'in', [...deliveries.keys()])
      .orderBy('delivery.endpoint')
      .execute();
    for (const { endpoint_id: endpoint, ...row } of rows) deliveries.get(row.event)?.push(deliveryOf({ ...row, endpoint }));
  }
  return events.map((row) => ({
    id: row.id,
    type: row.type as WebhookEventType,
    organization: row.organization,
    createdAtMs: row.created_at_ms,
    payload: row.payload,
    deliveries: deliveries.get(row.seq) ?? [],
  }));
}
