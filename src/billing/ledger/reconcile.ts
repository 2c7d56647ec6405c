import type { Kysely } from 'kysely';
import { DAY_MS, sumOf, type FemtoUsd } from '../../core/index.ts';
import { NO_USAGE, type Usage } from '../../openai/index.ts';
import type { JournalTail } from '../journal/journal-tail.ts';
import { chargeOf, chargeTotal } from '../prices/charge.ts';
import type { AttemptRecord, UsageRecord } from '../usage-record.ts';
import { addUsage } from '../usage-sum.ts';
import type { LedgerEvent } from './ledger-event.ts';
import type { LedgerTables } from './ledger-tables.ts';
import { sumsOf } from './token-sums.ts';
import { meterOf, owed } from './rated-events.ts';

/** What the attempts on one replica made in a day, and what was charged of it. */
export interface ReplicaMargin {
  readonly replica: string;
  readonly attempts: number;
  /** Of these, attempts whose tokens a customer pays for. */
  readonly charged: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** All that was made, at the prices of the requests it was made for. */
  readonly made: FemtoUsd;
  /** What of it is charged. */
  readonly earned: FemtoUsd;
}

/** Two who counted one attempt differently. */
export interface CountDifference {
  readonly request: string;
  readonly attempt: string;
  readonly replica: string;
  /** As the record has it, and who says so. */
  readonly recorded: Usage;
  readonly source: AttemptRecord['source'];
  readonly node: Usage;
}

export interface Reconciliation {
  /** UTC day, as `2026-11-26`. */
  readonly day: string;
  readonly requests: number;
  readonly replicas: readonly ReplicaMargin[];
  readonly differences: readonly CountDifference[];
  /** What estimates are to be put right by, where an exact count came to be known. */
  readonly corrections: readonly LedgerEvent[];
}

const PAGE = 1_000;

/** Holds the counts of a day's requests against each other: what the gateway charged, what nodes counted, what engines reported. */
export async function reconcile(db: Kysely<LedgerTables>, tail: Pick<JournalTail, 'record'>, day: string, fromMs: number): Promise<Reconciliation> {
  const replicas = new Map<string, ReplicaMargin>();
  const differences: CountDifference[] = [];
  const corrections: LedgerEvent[] = [];
  let requests = 0;
  let seq = 0;
  for (;;) {
    const rows = await db
      .selectFrom('events')
      .select(['seq', 'event_id'])
      .where('kind', '=', 'request')
      .where('at_ms', '>=', fromMs)
      .where('at_ms', '<', fromMs + DAY_MS)
      .where('seq', '>', seq)
      .orderBy('seq')
      .limit(PAGE)
      .execute();
    if (rows.length === 0) break;
    for (const { seq: at, event_id: id } of rows) {
      seq = at;
      const record = tail.record(id);
      if (record === null) continue;
      requests += 1;
      for (const attempt of record.attempts) addMargin(replicas, record, attempt);
      differences.push(...differencesOf(record));
      const correction = correctionOf(record, await inLedger(db, id));
      if (correction !== null) corrections.push(correction);
    }
  }
  return { day, requests, replicas: [...replicas.values()].toSorted((a, b) => (a.replica < b.replica ? -1 : 1)), differences, corrections };
}

function addMargin(replicas: Map<string, ReplicaMargin>, record: UsageRecord, { id, replica, usage, counted }: AttemptRecord): void {
  const before = replicas.get(replica) ?? { replica, attempts: 0, charged: 0, promptTokens: 0, completionTokens: 0, made: sumOf([]), earned: sumOf([]) };
  const made = usage ?? counted ?? NO_USAGE;
  const isCharged = record.chargedAttempt === id;
  // An answer in two parts is earned by its last one: the sum is right, the share of each is not told.
  const isLastPart = record.chargedAttempt == null && record.source !== 'none' && record.attempts.at(-1)?.id === id;
  replicas.set(replica, {
    replica,
    attempts: before.attempts + 1,
    charged: before.charged + (isCharged || isLastPart ? 1 : 0),
    promptTokens: before.promptTokens + made.promptTokens,
    completionTokens: before.completionTokens + made.completionTokens,
    made: sumOf([before.made, chargeTotal(chargeOf(made, record.price))]),
    earned: isCharged || isLastPart ? sumOf([before.earned, chargeTotal(chargeOf(record.usage, record.price))]) : before.earned,
  });
}

function differencesOf({ requestId: request, attempts }: UsageRecord): CountDifference[] {
  return attempts.flatMap(({ id: attempt, replica, usage, counted, source }) => {
    if (usage === null || counted === null || isSame(usage, counted)) return [];
    return [{ request, attempt, replica, recorded: usage, source, node: counted }];
  });
}

/** An estimate is put right by its node's count, unless that was done by an adjustment; its id is what an adjustment would have, so that it is one or the other. */
function correctionOf(record: UsageRecord, booked: Usage): LedgerEvent | null {
  if (!record.estimated || !isSame(booked, record.usage)) return null;
  const charged = record.attempts.find(({ id }) => id === record.chargedAttempt);
  if (charged?.counted == null) return null;
  const usage = addUsage(owed(record, charged.counted), record.usage, -1);
  if (isSame(usage, NO_USAGE)) return null;
  return { id: charged.id, kind: 'correction', meter: meterOf(record), atMs: record.admittedAtMs, usage };
}

/** What the ledger has of a request, adjustments included: their ids begin with the request's. */
async function inLedger(db: Kysely<LedgerTables>, request: string): Promise<Usage> {
  const row = await db
    .selectFrom('events')
    .select(sumsOf('events'))
    .where('event_id', '>=', request)
    .where('event_id', '<', `${request}~`)
    .executeTakeFirstOrThrow();
  return { promptTokens: row.prompt_tokens, cachedTokens: row.cached_tokens, completionTokens: row.completion_tokens, reasoningTokens: row.reasoning_tokens };
}

function isSame(a: Usage, b: Usage): boolean {
  return a.promptTokens === b.promptTokens && a.cachedTokens === b.cachedTokens && a.completionTokens === b.completionTokens;
}
