import { sql, type Kysely } from 'kysely';
import { instantText, ulid } from '../../core/index.ts';
import type { WebhookEventType } from './webhook.ts';
import type { ClaimOptions, FailedAttempt, JobKey, WebhookJob } from './webhook-queue.ts';
import { endpointOf, type EndpointRow } from './webhook-rows.ts';
import type { WebhookTables } from './webhook-schema.ts';

export interface NewWebhookEvent {
  /** `evt_…`; made when absent. The same one again changes nothing. */
  readonly id?: string | undefined;
  readonly type: WebhookEventType;
  /** Whose it is; null: only the operator's. */
  readonly organization: string | null;
  /** JSON: what it is about. */
  readonly data: unknown;
  readonly nowMs: number;
}

const ERROR_CHARS_MAX = 300;

/**
 * Writes an event, and a delivery for each endpoint that is to be told of it, within the caller's transaction: with what
 * it tells of, or not at all. Resolves with its id.
 */
export async function enqueueWebhook(db: Kysely<WebhookTables>, event: NewWebhookEvent): Promise<string> {
  const { id, seq } = await insertEvent(db, event);
  if (seq === null) return id;
  const endpoints = await endpointsFor(db, event.type, event.organization);
  await addDeliveries(db, seq, endpoints, event.nowMs);
  return id;
}

/** An event for one endpoint alone. Resolves with its id. */
export async function enqueueWebhookTo(db: Kysely<WebhookTables>, endpoint: EndpointRow, event: Omit<NewWebhookEvent, 'organization'>): Promise<string> {
  const { id, seq } = await insertEvent(db, { ...event, organization: endpoint.organization });
  if (seq !== null) await addDeliveries(db, seq, [endpoint], event.nowMs);
  return id;
}

/** Enabled endpoints that are to be told of events of this type and organization. */
export async function endpointsFor(db: Kysely<WebhookTables>, type: WebhookEventType, organization: string | null): Promise<readonly EndpointRow[]> {
  const rows = await db
    .selectFrom('webhook_endpoints')
    .selectAll()
    .where('disabled_at_ms', 'is', null)
    .where((where) => where.or([where('organization', 'is', null), ...(organization === null ? [] : [where('organization', '=', organization)])]))
    .orderBy('seq')
    .execute();
  return rows.filter((row) => endpointOf(row).eventTypes?.some((wanted) => wanted === type) ?? true);
}

/** Due at once, as if it had never been sent; what was delivered or given up is due again. */
export async function addDeliveries(db: Kysely<WebhookTables>, event: number, endpoints: readonly EndpointRow[], nowMs: number): Promise<void> {
  const fresh = { state: 'pending', attempts: 0, next_attempt_at_ms: nowMs, delivered_at_ms: null };
  for (const endpoint of endpoints) {
    await db
      .insertInto('webhook_deliveries')
      .values({ event, endpoint: endpoint.seq, ...fresh, last_status: null, last_error: null })
      .onConflict((conflict) => conflict.columns(['event', 'endpoint']).doUpdateSet(fresh))
      .execute();
  }
}

/** The oldest due event of each endpoint, in a write transaction of the caller. */
export async function claimWebhooks(db: Kysely<WebhookTables>, { nowMs, limit, leaseMs, except }: ClaimOptions): Promise<readonly WebhookJob[]> {
  let waiting = db
    .selectFrom('webhook_deliveries as delivery')
    .innerJoin('webhook_endpoints as endpoint', 'endpoint.seq', 'delivery.endpoint')
    // As a literal, or SQLite could not tell that the index of what waits has all that is asked for.
    .where('delivery.state', '=', sql.lit('pending'))
    .where('delivery.next_attempt_at_ms', '<=', nowMs);
  if (except.length > 0) waiting = waiting.where('endpoint.id', 'not in', except);
  const oldest = await waiting
    .select(({ fn }) => ['delivery.endpoint', fn.min('delivery.event').as('event')])
    .groupBy('delivery.endpoint')
    .orderBy('event')
    .limit(limit)
    .execute();
  const jobs: WebhookJob[] = [];
  for (const { endpoint, event } of oldest) {
    await db
      .updateTable('webhook_deliveries')
      .set({ next_attempt_at_ms: nowMs + leaseMs })
      .where('event', '=', event)
      .where('endpoint', '=', endpoint)
      .execute();
    jobs.push(await jobOf(db, event, endpoint, nowMs));
  }
  return jobs;
}

/** A note of a claim that has lapsed, and been followed by another, changes nothing; so of one that was ended since. */
export async function noteDelivered(db: Kysely<WebhookTables>, job: JobKey, nowMs: number, status: number): Promise<void> {
  const endpoint = await noteAttempt(db, job, {
    state: 'delivered',
    next_attempt_at_ms: null,
    delivered_at_ms: nowMs,
    last_status: status,
    last_error: null,
  });
  if (endpoint !== null) await db.updateTable('webhook_endpoints').set({ failing_since_ms: null }).where('seq', '=', endpoint).execute();
}

export async function noteFailed(db: Kysely<WebhookTables>, job: JobKey, { nowMs, status, error, next }: FailedAttempt): Promise<void> {
  const isLast = next.kind !== 'retry';
  const endpoint = await noteAttempt(db, job, {
    state: isLast ? 'failed' : 'pending',
    next_attempt_at_ms: isLast ? null : next.atMs,
    delivered_at_ms: null,
    last_status: status,
    last_error: error.slice(0, ERROR_CHARS_MAX),
  });
  if (endpoint === null || !isLast) return;
  await db.updateTable('webhook_endpoints').set({ failing_since_ms: nowMs }).where('seq', '=', endpoint).where('failing_since_ms', 'is', null).execute();
  if (next.kind === 'gone') await disableEndpoint(db, endpoint, 'gone', nowMs);
}

/** It gets nothing new, and what waits for it is given up. */
export async function disableEndpoint(db: Kysely<WebhookTables>, endpoint: number, reason: 'gone' | 'administrator', nowMs: number): Promise<void> {
  await db
    .updateTable('webhook_endpoints')
    .set({ disabled_at_ms: nowMs, disabled_reason: reason })
    .where('seq', '=', endpoint)
    .where('disabled_at_ms', 'is', null)
    .execute();
  await db
    .updateTable('webhook_deliveries')
    .set({ state: 'failed', next_attempt_at_ms: null, last_error: 'The endpoint is disabled.' })
    .where('endpoint', '=', endpoint)
    .where('state', '=', 'pending')
    .execute();
}

async function insertEvent(db: Kysely<WebhookTables>, { id: given, type, organization, data, nowMs }: NewWebhookEvent) {
  const id = given ?? `evt_${ulid(nowMs)}`;
  const payload = JSON.stringify({ id, type, timestamp: instantText(nowMs), organization, data });
  const made = await db
    .insertInto('webhook_events')
    .values({ id, type, organization, created_at_ms: nowMs, payload })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('seq')
    .executeTakeFirst();
  return { id, seq: made?.seq ?? null };
}

async function jobOf(db: Kysely<WebhookTables>, event: number, endpoint: number, nowMs: number): Promise<WebhookJob> {
  const row = await db
    .selectFrom('webhook_deliveries as delivery')
    .innerJoin('webhook_events as event', 'event.seq', 'delivery.event')
    .innerJoin('webhook_endpoints as endpoint', 'endpoint.seq', 'delivery.endpoint')
    .selectAll('endpoint')
    .select(['event.id as event_id', 'event.payload', 'delivery.attempts'])
    .where('delivery.event', '=', event)
    .where('delivery.endpoint', '=', endpoint)
    .executeTakeFirstOrThrow();
  const { id, url, secrets } = endpointOf(row);
  const valid = secrets.filter(({ untilMs }) => untilMs === null || untilMs > nowMs);
  return { event: row.event_id, endpoint: id, url, secrets: valid, payload: row.payload, attempts: row.attempts };
}

interface AttemptNote {
  readonly state: 'delivered' | 'pending' | 'failed';
  readonly next_attempt_at_ms: number | null;
  readonly delivered_at_ms: number | null;
  readonly last_status: number | null;
  readonly last_error: string | null;
}

/** `seq` of the endpoint; null when the note came too late. */
async function noteAttempt(db: Kysely<WebhookTables>, { event, endpoint, attempts }: JobKey, note: AttemptNote): Promise<number | null> {
  const noted = await db
    .updateTable('webhook_deliveries')
    .set({ ...note, attempts: attempts + 1 })
    .where('event', '=', (of) => of.selectFrom('webhook_events').select('seq').where('id', '=', event))
    .where('endpoint', '=', (of) => of.selectFrom('webhook_endpoints').select('seq').where('id', '=', endpoint))
    .where('state', '=', 'pending')
    .where('attempts', '=', attempts)
    .returning('endpoint')
    .executeTakeFirst();
  return noted?.endpoint ?? null;
}
