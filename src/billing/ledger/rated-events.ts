import type { Usage } from '../../openai/index.ts';
import type { JournalEvent } from '../journal/journal-tail.ts';
import type { Adjustment, UsageRecord } from '../usage-record.ts';
import { addUsage } from '../usage-sum.ts';
import type { LedgerEvent, Meter } from './ledger-event.ts';

/** What the ledger gets of one line of a journal. A late count of an attempt that the customer does not pay for is nothing to it. */
export function ratedEvents(line: JournalEvent): LedgerEvent[] {
  if (line.kind === 'record') return [ofRecord(line.record), ...line.earlier.flatMap((adjustment) => ofAdjustment(line.record, adjustment))];
  // One that came before its record goes with it.
  return line.record === null ? [] : ofAdjustment(line.record, line.adjustment);
}

function ofRecord(record: UsageRecord): LedgerEvent {
  return { id: record.requestId, kind: 'request', meter: meterOf(record), atMs: record.admittedAtMs, usage: record.usage };
}

function ofAdjustment(record: UsageRecord, { attemptId, usage }: Adjustment): LedgerEvent[] {
  if (record.chargedAttempt !== attemptId) return [];
  const difference = addUsage(owed(record, usage), record.usage, -1);
  if (Object.values(difference).every((tokens) => tokens === 0)) return [];
  return [{ id: attemptId, kind: 'adjustment', meter: meterOf(record), atMs: record.admittedAtMs, usage: difference }];
}

/** A client that was cut off pays for what it got, not for what was made beyond. */
export function owed({ outcome, usage: charged }: UsageRecord, made: Usage): Usage {
  if (outcome === 'completed' || outcome === 'aborted') return made;
  return {
    ...made,
    completionTokens: Math.min(made.completionTokens, charged.completionTokens),
    reasoningTokens: Math.min(made.reasoningTokens, charged.reasoningTokens),
  };
}

export function meterOf({ organization, project, keyId, model, endpoint, price }: UsageRecord): Meter {
  // Records from before there were prices have none.
  return { organization, project, keyId, model, endpoint, price: price ?? null };
}
