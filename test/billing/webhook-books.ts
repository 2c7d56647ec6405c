import type { Kysely } from 'kysely';
import { onTestFinished } from 'vitest';
import { enqueueWebhook, SecretSeal, SqlWebhooks, WEBHOOK_MIGRATION, WebhookDesk, type NewWebhookEvent, type WantedEndpoint, type WebhookTables } from '../../src/billing/index.ts';
import { openSqlDatabase } from '../../src/store/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Tables that stand beside those of webhooks, as the ledger's do. */
export interface BookTables extends WebhookTables {
  readonly facts: { readonly name: string };
}

const RULES = { allowLoopback: true, allowPrivate: false };

/** Webhooks in an empty database, in virtual time that begins now, since receivers compare it with their own. */
export function webhookBooks() {
  const db: Kysely<BookTables> = openSqlDatabase<BookTables>(':memory:', { migrations: ['CREATE TABLE facts (name TEXT NOT NULL)', WEBHOOK_MIGRATION] });
  onTestFinished(() => db.destroy());
  const clock = new ManualClock(Date.now());
  const seal = new SecretSeal(Buffer.alloc(32, 7));
  const store = new SqlWebhooks(db, () => Promise.resolve());
  const woken = { count: 0 };
  const desk = new WebhookDesk({ store, seal, clock, rules: RULES, wake: () => (woken.count += 1) });
  return {
    db,
    clock,
    seal,
    store,
    desk,
    woken,
    endpoint: (wanted: Partial<WantedEndpoint> = {}) => desk.create({ organization: null, url: 'https://example.com/hook', eventTypes: null, ...wanted }),
    tell: (event: Partial<NewWebhookEvent> = {}) =>
      db.transaction().execute((trx) => enqueueWebhook(trx.$pickTables<keyof WebhookTables>(), { type: 'invoice.paid', organization: 'org_a', data: { id: 'inv_1' }, nowMs: clock.wallMs(), ...event })),
    /** The one delivery of an event to an endpoint, or of all. */
    delivery: async (event: string, endpoint?: string) => {
      const { deliveries } = await desk.event(event);
      const [first] = endpoint === undefined ? deliveries : deliveries.filter((one) => one.endpoint === endpoint);
      if (first === undefined) throw new Error(`${event} has no such delivery`);
      return first;
    },
  };
}
