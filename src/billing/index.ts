export { openJournal, type Journal, type JournalOptions } from './journal/journal.ts';
export type { JournalEntry, JournalPage } from './journal/journal-protocol.ts';
export { CurrentPrices } from './prices/current-prices.ts';
export { bookChangeFaults } from './prices/book-change-faults.ts';
export { priceBookFaults } from './prices/price-book-faults.ts';
export { chargeOf, chargeTotal, requestPrice, type RequestPrice } from './prices/charge.ts';
export { PriceBook, type PriceRow, type PriceTier } from './prices/price-book.ts';
export { PriceDesk } from './prices/price-desk.ts';
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
export { AnswerStore, type StoredAnswer } from './idempotency/answer-store.ts';
export { BillingDesk } from './desk.ts';
export type { Balance, Budget, BudgetScope, BudgetState, Credit, SpendingState } from './ledger/billing-account.ts';
export type { Customer } from './ledger/customer-table.ts';
export type { Ledger } from './ledger/ledger.ts';
export type { LedgerEvent, Meter } from './ledger/ledger-event.ts';
export type { LedgerDatabase, LedgerService } from './ledger/ledger-protocol.ts';
export { PostgresAllowances, releaseAllowances } from './ledger/postgres-allowances.ts';
export { LedgerFeed } from './ledger/ledger-feed.ts';
export { openLedger, type NewlyBooked } from './ledger/open-ledger.ts';
export { moveLedger, type MovedTable } from './ledger/move-ledger.ts';
export { openPostgresLedger, openSqliteLedger } from './ledger/sql-ledger.ts';
export type { Grain, UsageDimension, UsageQuery, UsageSum } from './ledger/usage-query.ts';
export type { CountDifference, ReplicaMargin } from './ledger/reconcile.ts';
export type { Hold } from './holds/hold.ts';
export { LocalSpending } from './holds/local-spending.ts';
export { SharedSpending } from './holds/shared-spending.ts';
export type { BudgetReached, HoldAnswer, Spending } from './holds/spending.ts';
export type { AllowanceMove, AllowanceMoved, Allowances } from './holds/allowances.ts';
export { potName } from './holds/pot.ts';
export type { ChargeSum } from './invoices/charge-sum.ts';
export { draftInvoice, type InvoiceDraft } from './invoices/draft-invoice.ts';
export { amountDue, type CreditNote, type Invoice } from './invoices/invoice.ts';
export { parseSnapshot, snapshotText, type InvoiceSnapshot } from './invoices/invoice-snapshot.ts';
export { PartySchema, TaxRateSchema, type Party, type TaxRate } from './invoices/party.ts';
export type { InvoiceTerms } from './ledger/invoice-content.ts';
export { INVOICE_FORMATS, renderInvoice, type InvoiceFormat } from './invoices/render-invoice.ts';
export { invoiceJson } from './invoices/invoice-json.ts';
export { INVOICE_ACTS, InvoiceDesk } from './invoice-desk.ts';
export type { WebhookDelivery, WebhookEndpoint, WebhookEvent, WebhookEventType, WebhookSubject } from './webhooks/webhook.ts';
export { WEBHOOK_EVENT_TYPES } from './webhooks/webhook.ts';
export { WEBHOOK_MIGRATION, type WebhookTables } from './webhooks/webhook-schema.ts';
export { enqueueWebhook, type NewWebhookEvent } from './webhooks/webhook-outbox.ts';
export type { WebhookQueue } from './webhooks/webhook-queue.ts';
export type { WebhookStore } from './webhooks/webhook-store.ts';
export { SqlWebhooks } from './webhooks/sql-webhooks.ts';
export { SecretSeal } from './webhooks/secret-seal.ts';
export type { AddressRules } from './webhooks/webhook-address.ts';
export { WebhookSender, type SendWebhook } from './webhooks/webhook-send.ts';
export { WebhookDeliverer } from './webhooks/webhook-delivery.ts';
export { WebhookDesk, type EndpointWithSecret, type WantedEndpoint } from './webhooks/webhook-desk.ts';
export { budgetWebhook, creditNoteWebhook, invoiceWebhook } from './webhooks/webhook-payloads.ts';
