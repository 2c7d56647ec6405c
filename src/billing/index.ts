export { openJournal, type Journal, type JournalOptions } from './journal/journal.ts';
export type { JournalEntry, JournalPage } from './journal/journal-protocol.ts';
export { CurrentPrices } from './prices/current-prices.ts';
export { priceBookFaults } from './prices/price-book-faults.ts';
export { chargeOf, chargeTotal, requestPrice, type Charge, type RequestPrice } from './prices/charge.ts';
export { PriceBook, type PriceRow, type PriceTier } from './prices/price-book.ts';
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
