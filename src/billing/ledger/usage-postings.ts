import { sql, type Kysely } from 'kysely';
import { HOUR_MS, opposite, sumOf } from '../../core/index.ts';
import { chargeOf, chargeTotal } from '../prices/charge.ts';
import type { LedgerEvent } from './ledger-event.ts';
import type { LedgerStore } from './ledger-store.ts';
import type { EventRow, LedgerTables } from './ledger-tables.ts';
import { meterName, type Meters } from './meters.ts';
import { monthOf, nextMonth } from './month.ts';
import { post } from './posting.ts';
import { sealEvents } from './seals.ts';
import { addTokens, type TokenSums } from './token-sums.ts';

/** SQLite binds at most 32,766 values in a statement. */
const ROWS_MAX = 2_000;

export interface UsagePosting {
  readonly meters: Meters;
  readonly store: LedgerStore;
  readonly sealKey: Buffer;
  /** Wall time. */
  readonly nowMs: number;
}

/** An event with what the ledger adds to it. */
interface Rated {
  readonly event: LedgerEvent;
  readonly row: EventRow;
}

/**
 * Writes events that are not there yet, and moves all that is derived from them: rollups, what is to be invoiced, balances.
 * Returns those that were new. Within the caller's transaction.
 */
export async function postUsage(db: Kysely<LedgerTables>, events: readonly LedgerEvent[], { meters, store, sealKey, nowMs }: UsagePosting): Promise<readonly LedgerEvent[]> {
  const fresh = await insertEvents(db, await rated(db, events, meters), store, nowMs);
  if (fresh.length === 0) return [];
  await sealEvents(db, fresh.map(({ seq, event, row }) => ({ ...row, seq, name: meterName(event.meter) })), sealKey);
  await moveRollups(db, fresh);
  await moveCharges(db, fresh);
  for (const [organization, own] of Map.groupBy(fresh, ({ event }) => event.meter.organization)) {
    await postCharges(db, organization, own, nowMs);
  }
  return fresh.map(({ event }) => event);
}

/** Events of a month that is invoiced already go on the invoice of the month after the last one that is. */
async function rated(db: Kysely<LedgerTables>, events: readonly LedgerEvent[], meters: Meters): Promise<Rated[]> {
  const ids = await meters.idsOf(db, events.map(({ meter }) => meter));
  const closed = new Map((await db.selectFrom('closed_months').selectAll().execute()).map(({ organization, month }) => [organization, month]));
  return events.map((event, i) => {
    const month = monthOf(event.atMs);
    const closedMonth = closed.get(event.meter.organization);
    const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = event.usage;
    return {
      event,
      row: {
        event_id: event.id,
        kind: event.kind,
        meter: ids[i] ?? 0,
        at_ms: event.atMs,
        invoice_month: closedMonth === undefined || month > closedMonth ? month : nextMonth(closedMonth),
        requests: event.kind === 'request' ? 1 : 0,
        prompt_tokens: promptTokens,
        cached_tokens: cachedTokens,
        completion_tokens: completionTokens,
        reasoning_tokens: reasoningTokens,
      },
    };
  });
}

interface Numbered extends Rated {
  readonly seq: number;
}

async function insertEvents(db: Kysely<LedgerTables>, list: readonly Rated[], store: LedgerStore, nowMs: number): Promise<Numbered[]> {
  const byId = new Map(list.map((one) => [one.event.id, one]));
  if (byId.size === 0) return [];
  const written = await store.insertEvents(db, [...byId.values()].map(({ row }) => row), nowMs);
  return written.flatMap(({ event_id: id, seq }) => {
    const one = byId.get(id);
    return one === undefined ? [] : [{ ...one, seq }];
  });
}

async function moveRollups(db: Kysely<LedgerTables>, fresh: readonly Numbered[]): Promise<void> {
  const moved = new Map<string, LedgerTables['rollups']>();
  for (const { row } of fresh) {
    for (const [grain, widthMs] of GRAINS) {
      const start_ms = row.at_ms - (row.at_ms % widthMs);
      const key = `${grain}${start_ms} ${row.meter}`;
      const before = moved.get(key);
      moved.set(key, { grain, start_ms, meter: row.meter, ...(before === undefined ? tokensOf(row) : addTokens(before, row)) });
    }
  }
  const rows = [...moved.values()];
  for (let i = 0; i < rows.length; i += ROWS_MAX) {
    await db
      .insertInto('rollups')
      .values(rows.slice(i, i + ROWS_MAX))
      .onConflict((conflict) => conflict.columns(['grain', 'meter', 'start_ms']).doUpdateSet(added('rollups')))
      .execute();
  }
}

async function moveCharges(db: Kysely<LedgerTables>, fresh: readonly Numbered[]): Promise<void> {
  const moved = new Map<string, LedgerTables['charges']>();
  for (const { event, row, seq } of fresh) {
    const month = monthOf(row.at_ms);
    const key = `${row.invoice_month} ${month} ${row.meter}`;
    const before = moved.get(key);
    const sums = before === undefined ? tokensOf(row) : addTokens(before, row);
    moved.set(key, { organization: event.meter.organization, invoice_month: row.invoice_month, month, meter: row.meter, ...sums, last_seq: Math.max(before?.last_seq ?? 0, seq) });
  }
  const rows = [...moved.values()];
  for (let i = 0; i < rows.length; i += ROWS_MAX) {
    await db
      .insertInto('charges')
      .values(rows.slice(i, i + ROWS_MAX))
      .onConflict((conflict) =>
        conflict.columns(['organization', 'invoice_month', 'month', 'meter']).doUpdateSet((eb) => ({ ...added('charges'), last_seq: eb.ref('excluded.last_seq') })),
      )
      .execute();
  }
}

async function postCharges(db: Kysely<LedgerTables>, organization: string, own: readonly Numbered[], recordedAtMs: number): Promise<void> {
  const amount = sumOf(own.map(({ event }) => chargeTotal(chargeOf(event.usage, event.meter.price))));
  const seqs = own.map(({ seq }) => seq);
  const reference = `${organization} ${Math.min(...seqs)}-${Math.max(...seqs)}`;
  const entries = { unbilled: amount, revenue: opposite(amount) };
  await post(db, { kind: 'usage', organization, reference, recordedAtMs, entries });
}

function tokensOf({ requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens }: TokenSums): TokenSums {
  return { requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens };
}

/** The columns of an upsert that adds to what is there. */
function added(table: 'rollups' | 'charges') {
  const plus = (column: keyof TokenSums) => sql<number>`${sql.ref(`${table}.${column}`)} + ${sql.ref(`excluded.${column}`)}`;
  return {
    requests: plus('requests'),
    prompt_tokens: plus('prompt_tokens'),
    cached_tokens: plus('cached_tokens'),
    completion_tokens: plus('completion_tokens'),
    reasoning_tokens: plus('reasoning_tokens'),
  };
}

/** Hours for a day's curve, days for what a month came to. In UTC. */
export const GRAINS = [
  ['hour', HOUR_MS],
  ['day', 24 * HOUR_MS],
] as const;
