import type { Kysely } from 'kysely';
import { enqueueWebhook, type NewWebhookEvent } from '../webhooks/webhook-outbox.ts';
import type { WebhookTables } from '../webhooks/webhook-schema.ts';
import type { LedgerTables } from './ledger-tables.ts';

/** Whoever wants to know is told of what the caller's transaction does, once it is committed. */
export async function tell(db: Kysely<LedgerTables>, event: Pick<NewWebhookEvent, 'type' | 'organization' | 'data'>, nowMs: number): Promise<void> {
  await enqueueWebhook(db.$pickTables<keyof WebhookTables>(), { ...event, nowMs });
}
