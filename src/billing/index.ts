export { openJournal, type Journal, type JournalOptions } from './journal.ts';
export type { JournalEntry, JournalPage } from './journal-protocol.ts';
export { priceBookFaults } from './price-book-faults.ts';
export { PriceBook, rate, type PriceRow, type PriceTier } from './price-book.ts';
export { priceRows } from './price-rows.ts';
export {
  type AttemptProgress,
  type AttemptRecord,
  type Checkpoint,
  type Endpoint,
  type OpenRequest,
  type RunningAttempt,
  type UsageRecord,
  type UsageSource,
} from './usage-record.ts';
