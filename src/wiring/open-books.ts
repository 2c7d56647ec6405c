import { BillingDesk, chargeOf, chargeTotal, InvoiceDesk, LedgerFeed, openLedger, type InvoiceTerms, type Journal, type LedgerDatabase, type LedgerService, type NewlyBooked, type Party, type Spending } from '../billing/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import { InTurn, type Clock, type Logger } from '../core/index.ts';
import type { Shared } from './open-shared.ts';
import { dropOldEvents } from './drop-old-events.ts';
import { openSpending } from './open-spending.ts';
import type { Teardown } from './teardown.ts';

/** The money side: the books, and what may still be spent. */
export interface Books {
  readonly ledger: LedgerService;
  readonly feed: LedgerFeed;
  readonly spending: Spending;
  readonly desk: BillingDesk;
  readonly invoices: InvoiceDesk;
}

interface BooksAt {
  readonly database: LedgerDatabase;
  /** Null for a gateway alone. */
  readonly shared: Shared | null;
  readonly journalPath: string;
  /** Name of the journal in the ledger. */
  readonly source: string;
  readonly sealKey: Buffer;
  readonly journal: Journal;
  readonly billing: GatewayConfig['billing'];
  readonly projectNames: () => Promise<Readonly<Record<string, string>>>;
}

const SHIP_MS = 1_000;

/** Opens the ledger and brings it up to the journal, so that what may be spent is known before the first request. */
export async function openBooks(at: BooksAt, { clock, log }: { readonly clock: Clock; readonly log: Logger }, teardown: Teardown): Promise<Books> {
  const { database, shared, journalPath, source, sealKey, journal, billing, projectNames } = at;
  // What is booked before is in the state that spending begins with.
  let onBooked: (booked: NewlyBooked) => void = () => {};
  const ledger = teardown.add(await openLedger({ database, journalPath, source, sealKey, onBooked: (booked) => onBooked(booked) }));
  await ledger.ship(clock.wallMs());
  let isAllBooked: () => boolean = () => false;
  const spending = await openSpending({ ledger, source, shared, isAllBooked: () => isAllBooked(), clock, log }, teardown);
  onBooked = ({ requests, corrections, takenOff }) => {
    const differences = corrections.map(({ meter, atMs, usage }) => ({ payer: meter, admittedAtMs: atMs, difference: chargeTotal(chargeOf(usage, meter.price)) }));
    spending.booked({ requests, corrections: differences, takenOff });
  };
  const feed = teardown.add(new LedgerFeed({ ledger, journal, clock, log, everyMs: SHIP_MS }));
  isAllBooked = () => !feed.isBehind;
  if (shared !== null) dropOldEvents(ledger, shared, { clock, log }, teardown);
  const turns = new InTurn();
  const desk = new BillingDesk({ ledger, spending, feed, clock, turns });
  const invoices = new InvoiceDesk({ ledger, spending, feed, clock, turns, terms: async () => invoiceTerms(billing, await projectNames()) });
  return { ledger, feed, spending, desk, invoices };
}

function invoiceTerms({ seller, footer, invoicePrefix, creditNotePrefix, dueDays }: GatewayConfig['billing'], projectNames: Readonly<Record<string, string>>): InvoiceTerms {
  return { seller: seller === undefined ? null : partyOf(seller), footer, invoicePrefix, creditNotePrefix, dueDays, projectNames };
}

function partyOf({ name, address, country, taxIds, email }: NonNullable<GatewayConfig['billing']['seller']>): Party {
  return { name, address: [...address], country, tax_ids: [...taxIds], ...(email === undefined ? {} : { email }) };
}
