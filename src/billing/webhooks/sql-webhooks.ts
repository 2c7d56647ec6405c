import type { Kysely } from 'kysely';
import { MeridianError } from '../../core/index.ts';
import type { ListQuery } from '../ledger/ledger.ts';
import type { StoredSecret, WebhookEndpoint, WebhookEvent, WebhookEventType } from './webhook.ts';
import { findEvent, listEvents } from './webhook-event-reads.ts';
import { addDeliveries, claimWebhooks, disableEndpoint, endpointsFor, enqueueWebhookTo, noteDelivered, noteFailed } from './webhook-outbox.ts';
import type { ClaimOptions, FailedAttempt, JobKey, WebhookJob } from './webhook-queue.ts';
import { endpointOf, type EndpointRow } from './webhook-rows.ts';
import type { WebhookTables } from './webhook-schema.ts';
import type { EndpointChange, NewWebhookEndpoint, WebhookEventQuery, WebhookStore } from './webhook-store.ts';

const ENDPOINTS_MAX = 50;
const SECRETS_MAX = 4;

/** The store in any database that Kysely speaks to, once its tables are there. */
export class SqlWebhooks implements WebhookStore {
  readonly #db: Kysely<WebhookTables>;
  readonly #lock: (db: Kysely<WebhookTables>) => Promise<void>;

  /** `lock`: whoever writes waits there until nobody else does. */
  constructor(db: Kysely<WebhookTables>, lock: (db: Kysely<WebhookTables>) => Promise<void>) {
    this.#db = db;
    this.#lock = lock;
  }

  claim(options: ClaimOptions): Promise<readonly WebhookJob[]> {
    return this.#write((db) => claimWebhooks(db, options));
  }

  delivered(job: JobKey, nowMs: number, status: number): Promise<void> {
    return this.#write((db) => noteDelivered(db, job, nowMs, status));
  }

  failed(job: JobKey, attempt: FailedAttempt): Promise<void> {
    return this.#write((db) => noteFailed(db, job, attempt));
  }

  addEndpoint({ id, organization, url, eventTypes, secrets, createdAtMs }: NewWebhookEndpoint): Promise<WebhookEndpoint> {
    return this.#write(async (db) => {
      const has = await db
        .selectFrom('webhook_endpoints')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('organization', organization === null ? 'is' : '=', organization)
        .executeTakeFirstOrThrow();
      if (Number(has.count) >= ENDPOINTS_MAX) throw new MeridianError('conflict', { message: `There are ${ENDPOINTS_MAX} endpoints already, and there can be no more.` });
      const event_types = eventTypes === null ? null : JSON.stringify(eventTypes);
      await db.insertInto('webhook_endpoints').values({ id, organization, url, event_types, secrets: JSON.stringify(secrets), created_at_ms: createdAtMs }).execute();
      return { id, organization, url, eventTypes, secrets, createdAtMs, state: { kind: 'enabled' }, failingSinceMs: null };
    });
  }

  async endpoint(id: string): Promise<WebhookEndpoint | null> {
    const row = await rowOf(this.#db, id);
    return row === null ? null : endpointOf(row);
  }

  async endpoints({ organization, after, limit }: ListQuery): Promise<readonly WebhookEndpoint[]> {
    let rows = this.#db.selectFrom('webhook_endpoints').selectAll();
    if (organization !== undefined) rows = rows.where('organization', '=', organization);
    if (after !== undefined) {
      const row = await rowOf(this.#db, after);
      if (row === null) throw new MeridianError('invalid_value', { param: 'after', message: `There is no webhook endpoint ${after}.` });
      rows = rows.where('seq', '>', row.seq);
    }
    return (await rows.orderBy('seq').limit(limit).execute()).map(endpointOf);
  }

  changeEndpoint(id: string, { url, eventTypes, isEnabled }: EndpointChange, nowMs: number): Promise<WebhookEndpoint | null> {
    return this.#change(id, async (db, row) => {
      const set = {
        ...(url === undefined ? {} : { url }),
        ...(eventTypes === undefined ? {} : { event_types: eventTypes === null ? null : JSON.stringify(eventTypes) }),
        ...(isEnabled === true ? { disabled_at_ms: null, disabled_reason: null, failing_since_ms: null } : {}),
      };
      if (Object.keys(set).length > 0) await db.updateTable('webhook_endpoints').set(set).where('seq', '=', row.seq).execute();
      if (isEnabled === false) await disableEndpoint(db, row.seq, 'administrator', nowMs);
    });
  }

  addSecret(id: string, secret: StoredSecret, oldUntilMs: number, nowMs: number): Promise<WebhookEndpoint | null> {
    return this.#change(id, async (db, row) => {
      const old = endpointOf(row)
        .secrets.map(({ sealed, untilMs }) => ({ sealed, untilMs: Math.min(untilMs ?? oldUntilMs, oldUntilMs) }))
        .filter(({ untilMs }) => untilMs > nowMs);
      const secrets = JSON.stringify([secret, ...old].slice(0, SECRETS_MAX));
      await db.updateTable('webhook_endpoints').set({ secrets }).where('seq', '=', row.seq).execute();
    });
  }

  async removeEndpoint(id: string): Promise<boolean> {
    const removed = await this.#db.deleteFrom('webhook_endpoints').where('id', '=', id).returning('id').executeTakeFirst();
    return removed !== undefined;
  }

  testEndpoint(id: string, nowMs: number): Promise<WebhookEvent | null> {
    return this.#write(async (db) => {
      const row = await rowOf(db, id);
      if (row === null) return null;
      if (row.disabled_at_ms !== null) throw new MeridianError('conflict', { message: `The webhook endpoint ${id} is disabled. Enable it first.` });
      const data = { message: 'Sent by hand, to see whether events arrive.' };
      return findEvent(db, await enqueueWebhookTo(db, row, { type: 'webhook.test', data, nowMs }));
    });
  }

  event(id: string): Promise<WebhookEvent | null> {
    return findEvent(this.#db, id);
  }

  events(query: WebhookEventQuery): Promise<readonly WebhookEvent[]> {
    return listEvents(this.#db, query);
  }

  redeliver(id: string, endpoint: string | null, nowMs: number): Promise<WebhookEvent | null> {
    return this.#write(async (db) => {
      const event = await db.selectFrom('webhook_events').selectAll().where('id', '=', id).executeTakeFirst();
      if (event === undefined) return null;
      if (event.type === 'webhook.test') throw new MeridianError('conflict', { param: 'id', message: `The event ${id} is a test. Send a new one.` });
      const told = await endpointsFor(db, event.type as WebhookEventType, event.organization);
      const wanted = endpoint === null ? told : told.filter((row) => row.id === endpoint);
      if (endpoint !== null && wanted.length === 0) {
        throw new MeridianError('conflict', { param: 'endpoint', message: `The webhook endpoint ${endpoint} is not there, is disabled, or gets no such events.` });
      }
      await addDeliveries(db, event.seq, wanted, nowMs);
      return findEvent(db, id);
    });
  }

  #write<T>(work: (db: Kysely<WebhookTables>) => Promise<T>): Promise<T> {
    return this.#db.transaction().execute(async (db) => {
      await this.#lock(db);
      return work(db);
    });
  }

  #change(id: string, work: (db: Kysely<WebhookTables>, row: EndpointRow) => Promise<void>): Promise<WebhookEndpoint | null> {
    return this.#write(async (db) => {
      const row = await rowOf(db, id);
      if (row === null) return null;
      await work(db, row);
      const changed = await rowOf(db, id);
      return changed === null ? null : endpointOf(changed);
    });
  }
}

async function rowOf(db: Kysely<WebhookTables>, id: string): Promise<EndpointRow | null> {
  return (await db.selectFrom('webhook_endpoints').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;
}
