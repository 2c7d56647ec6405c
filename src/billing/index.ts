export { openJournal, type Journal, type JournalOptions } from './journal.ts';
export type { JournalEntry, JournalPage, JournalQuery, JournalTotals } from './journal-protocol.ts';
export {
  requestOfAttempt,
  type Adjustment,
  type AttemptProgress,
  type AttemptRecord,
  type Checkpoint,
  type Endpoint,
  type LateSettlement,
  type OpenRequest,
  type Outcome,
  type RunningAttempt,
  type UsageRecord,
  type UsageSource,
} from './usage-record.ts';
