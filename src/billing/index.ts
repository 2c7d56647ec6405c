export { openJournal, type Journal, type JournalOptions } from './journal/journal.ts';
export type { JournalEntry, JournalPage } from './journal/journal-protocol.ts';
export { priceBookFaults } from './prices/price-book-faults.ts';
export { PriceBook, rate, type PriceRow, type PriceTier } from './prices/price-book.ts';
export { priceRows } from './prices/price-rows.ts';
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
