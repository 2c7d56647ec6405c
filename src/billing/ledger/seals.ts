import { createHmac } from 'node:crypto';
import type { Kysely } from 'kysely';
import { chainStart } from './dropped-months.ts';
import type { EventRow, LedgerTables } from './ledger-tables.ts';

/** An event as it is sealed: with everything that its meter says. */
type Sealed = EventRow & { readonly seq: number; readonly name: string };

const FIRST = '';
const SEALS_AT_ONCE = 1_000;

/** Chains new events, which follow one another, to all before: HMAC-SHA-256 over the seal before and their contents. */
export async function sealEvents(db: Kysely<LedgerTables>, events: readonly Sealed[], key: Buffer): Promise<void> {
  const inOrder = events.toSorted((a, b) => a.seq - b.seq);
  const [first, last] = [inOrder[0], inOrder.at(-1)];
  if (first === undefined || last === undefined) return;
  const before = await db.selectFrom('seals').select('hash').orderBy('last_seq', 'desc').limit(1).executeTakeFirst();
  const hash = sealOf(before?.hash ?? FIRST, inOrder, key);
  await db.insertInto('seals').values({ first_seq: first.seq, last_seq: last.seq, hash }).execute();
}

/** Where the chain is broken, in words: events that are not as they were sealed, were taken out or put in. */
export async function sealFaults(db: Kysely<LedgerTables>, key: Buffer): Promise<readonly string[]> {
  const start = await chainStart(db, key);
  const faults: string[] = [...start.faults];
  let before = start.lastSeq === 0 ? FIRST : start.hash;
  let sealedTo = start.lastSeq;
  let seals = await sealsAfter(db, sealedTo);
  while (seals.length > 0) {
    for (const { first_seq: first, last_seq: last, hash } of seals) {
      const events = await eventsBetween(db, sealedTo, last);
      if (events[0]?.seq !== first || sealOf(before, events, key) !== hash) faults.push(`events ${first} to ${last} are not as they were sealed`);
      before = hash;
      sealedTo = last;
    }
    seals = await sealsAfter(db, sealedTo);
  }
  const loose = await db.selectFrom('events').select('seq').where('seq', '>', sealedTo).limit(1).executeTakeFirst();
  return loose === undefined ? faults : [...faults, `the events from ${loose.seq} on were never sealed`];
}

function sealsAfter(db: Kysely<LedgerTables>, seq: number) {
  return db.selectFrom('seals').selectAll().where('last_seq', '>', seq).orderBy('last_seq').limit(SEALS_AT_ONCE).execute();
}

function eventsBetween(db: Kysely<LedgerTables>, afterSeq: number, toSeq: number): Promise<Sealed[]> {
  return db
    .selectFrom('events')
    .innerJoin('meters', 'meters.id', 'events.meter')
    .selectAll('events')
    .select('meters.name')
    .where('seq', '>', afterSeq)
    .where('seq', '<=', toSeq)
    .orderBy('seq')
    .execute();
}

function sealOf(before: string, events: readonly Sealed[], key: Buffer): string {
  const hmac = createHmac('sha256', key).update(before);
  for (const one of events) {
    hmac.update(
      JSON.stringify([
        one.seq,
        one.event_id,
        one.kind,
        one.name,
        one.at_ms,
        one.invoice_month,
        one.requests,
        one.prompt_tokens,
        one.cached_tokens,
        one.completion_tokens,
        one.reasoning_tokens,
      ]),
    );
  }
  return hmac.digest('hex');
}
