import { Worker } from 'node:worker_threads';
import { MeridianError } from '../../core/index.ts';
import type { WebhookStore } from '../webhooks/webhook-store.ts';
import type { LedgerEvent } from './ledger-event.ts';
import type { TakenOff } from './allowance-table.ts';
import type { CarriedError, FromLedgerThread, LedgerCall, LedgerDatabase, LedgerMethod, LedgerService, LedgerThreadSettings, WebhookMethod } from './ledger-protocol.ts';

export interface LedgerOptions {
  readonly database: LedgerDatabase;
  /** The journal, which must be open already. */
  readonly journalPath: string;
  /** Name of that journal in the ledger, the same for its life. */
  readonly source: string;
  /** 32 secret bytes; the same for the life of the ledger. */
  readonly sealKey: Buffer;
  /** Default false: rejects with `conflict` when the database was restored from a backup that is older than what the journal was told. */
  readonly acceptsRestored?: boolean;
  /** Told of what is new in the ledger, before anything is answered that has it in it. */
  readonly onBooked?: (booked: NewlyBooked) => void;
}

export interface NewlyBooked {
  /** Ids of requests. */
  readonly requests: readonly string[];
  /** What turned out to cost another amount than was charged when its request ended. */
  readonly corrections: readonly LedgerEvent[];
  /** What the booking took off what this gateway had set aside of budgets. */
  readonly takenOff: readonly TakenOff[];
}

/** Opens the ledger in a thread of its own, which takes what the journal has whenever `ship` is called. */
export async function openLedger({ database, journalPath, source, sealKey, acceptsRestored = false, onBooked = () => {} }: LedgerOptions): Promise<LedgerService> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const settings: LedgerThreadSettings = { database, journalPath, source, sealKey, acceptsRestored };
  const thread = new Worker(new URL(`./ledger-thread.${extension}`, import.meta.url), { workerData: settings });
  await new Promise<void>((resolve, reject) => {
    thread.once('message', (message: FromLedgerThread) => {
      if (message.kind === 'refused') reject(errorOf(message.error));
      else resolve();
    });
    thread.once('error', (cause) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const which = database.kind === 'sqlite' ? database.path : 'in PostgreSQL';
      reject(new MeridianError('internal_error', { message: `The ledger ${which} cannot be opened: ${reason}`, cause }));
    });
  });
  return serviceOf(new Calls(thread, onBooked));
}

/** Calls of the thread that wait for their answers. */
class Calls {
  readonly #thread: Worker;
  readonly #onBooked: (booked: NewlyBooked) => void;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #calls = 0;
  #gone: string | null = null;

  constructor(thread: Worker, onBooked: (booked: NewlyBooked) => void) {
    this.#thread = thread;
    this.#onBooked = onBooked;
    thread.on('message', (message: FromLedgerThread) => this.#receive(message));
    thread.on('error', (error) => this.#end(`its thread failed: ${String(error)}`));
    thread.on('exit', () => this.#end('it is closed'));
  }

  make(target: LedgerCall['target'], method: LedgerCall['method'], args: readonly unknown[]): Promise<unknown> {
    if (this.#gone !== null) return Promise.reject(unavailable(this.#gone));
    this.#calls += 1;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(this.#calls, waiting);
    this.#thread.postMessage({ call: this.#calls, target, method, args } satisfies LedgerCall);
    return waiting.promise;
  }

  #receive(message: FromLedgerThread): void {
    if (message.kind === 'ready' || message.kind === 'refused') return;
    if (message.kind === 'booked') return this.#onBooked(message);
    const waiting = this.#waiting.get(message.call);
    this.#waiting.delete(message.call);
    if (message.kind === 'answer') waiting?.resolve(message.value);
    else waiting?.reject(errorOf(message.error));
  }

  #end(reason: string): void {
    this.#gone ??= reason;
    for (const { reject } of this.#waiting.values()) reject(unavailable(this.#gone));
    this.#waiting.clear();
  }
}

function errorOf({ code, message, param }: CarriedError): MeridianError {
  if (code === null) return new MeridianError('internal_error', { message: 'The ledger could not do that.', cause: new Error(message) });
  return new MeridianError(code, { message, ...(param === null ? {} : { param }) });
}

function unavailable(reason: string): MeridianError {
  return new MeridianError('overloaded', { message: `The ledger cannot be asked: ${reason}.` });
}

function serviceOf(calls: Calls): LedgerService {
  const through = <Method extends LedgerMethod>(method: Method) =>
    ((...args: unknown[]) => calls.make('ledger', method, args)) as LedgerService[Method];
  const toWebhooks = <Method extends WebhookMethod>(method: Method) =>
    ((...args: unknown[]) => calls.make('webhooks', method, args)) as WebhookStore[Method];
  return {
    position: through('position'),
    apply: through('apply'),
    ship: through('ship'),
    reconcile: through('reconcile'),
    usage: through('usage'),
    addPrice: through('addPrice'),
    prices: through('prices'),
    balance: through('balance'),
    customer: through('customer'),
    putCustomer: through('putCustomer'),
    addCredit: through('addCredit'),
    credits: through('credits'),
    addBudget: through('addBudget'),
    budget: through('budget'),
    budgets: through('budgets'),
    archiveBudget: through('archiveBudget'),
    markBudget: through('markBudget'),
    createInvoice: through('createInvoice'),
    invoice: through('invoice'),
    invoiceOf: through('invoiceOf'),
    invoices: through('invoices'),
    previewInvoice: through('previewInvoice'),
    finalizeInvoice: through('finalizeInvoice'),
    payInvoice: through('payInvoice'),
    voidInvoice: through('voidInvoice'),
    writeOffInvoice: through('writeOffInvoice'),
    creditInvoice: through('creditInvoice'),
    spendingState: through('spendingState'),
    spendingTerms: through('spendingTerms'),
    dropOldEvents: through('dropOldEvents'),
    rebuild: through('rebuild'),
    faults: through('faults'),
    webhooks: {
      claim: toWebhooks('claim'),
      delivered: toWebhooks('delivered'),
      failed: toWebhooks('failed'),
      addEndpoint: toWebhooks('addEndpoint'),
      endpoint: toWebhooks('endpoint'),
      endpoints: toWebhooks('endpoints'),
      changeEndpoint: toWebhooks('changeEndpoint'),
      addSecret: toWebhooks('addSecret'),
      removeEndpoint: toWebhooks('removeEndpoint'),
      testEndpoint: toWebhooks('testEndpoint'),
      event: toWebhooks('event'),
      events: toWebhooks('events'),
      redeliver: toWebhooks('redeliver'),
    },
    async close() {
      await calls.make('ledger', 'close', []);
    },
  };
}
