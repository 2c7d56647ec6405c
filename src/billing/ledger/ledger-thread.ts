import { parentPort, workerData } from 'node:worker_threads';
import CircuitBreaker from 'opossum';
import { MeridianError } from '../../core/index.ts';
import { JournalTail } from '../journal/journal-tail.ts';
import type { CarriedError, FromLedgerThread, LedgerCall, LedgerThreadSettings } from './ledger-protocol.ts';
import type { Applied } from './ledger.ts';
import type { Reconciliation } from './reconcile.ts';
import { ShippedNote } from './shipped-note.ts';
import { Shipper } from './shipper.ts';
import { openPostgresLedger, openSqliteLedger, type SqlLedger } from './sql-ledger.ts';

const port = parentPort;
if (port === null) throw new Error('ledger-thread.ts runs as a worker thread, started by openLedger');

const settings = workerData as LedgerThreadSettings;
const { database, journalPath, source } = settings;
const reply = (message: FromLedgerThread): void => port.postMessage(message);

/** A server that is away is not dialled for every call; what is wrong with a call is not its fault. */
const BREAKER = { timeout: false, errorThresholdPercentage: 50, volumeThreshold: 3, resetTimeout: 1_000, rollingCountTimeout: 10_000 } as const;

try {
  await serve(await open());
} catch (error) {
  reply({ kind: 'refused', error: carried(error) });
  port.close();
}

function open(): Promise<SqlLedger> | SqlLedger {
  const sealKey = Buffer.from(settings.sealKey);
  if (database.kind === 'sqlite') return openSqliteLedger(database.path, { sealKey });
  const { url, connectionsMax, statementMs } = database;
  return openPostgresLedger({ sealKey, url, connectionsMax, statementMs });
}

async function checkedNote(ledger: SqlLedger): Promise<ShippedNote | null> {
  if (database.kind === 'sqlite') return null;
  const note = new ShippedNote(journalPath);
  if (!settings.acceptsRestored) note.check(await ledger.position(source));
  return note;
}

async function serve(ledger: SqlLedger): Promise<void> {
  const note = await checkedNote(ledger);
  const { webhooks } = ledger;
  const tail = new JournalTail(journalPath);
  const shipper = new Shipper(source, tail, ledger, booked);
  const guarded = new CircuitBreaker(run, { ...BREAKER, errorFilter: (error: unknown) => error instanceof MeridianError });
  // One call after the other: none sees half of what another one does.
  let last = Promise.resolve();
  port?.on('message', (call: LedgerCall) => {
    last = last.then(() => answer(call));
  });
  reply({ kind: 'ready' });

  async function answer({ call, target, method, args }: LedgerCall): Promise<void> {
    try {
      const value = method === 'close' ? await close() : await guarded.fire(target, method, args);
      reply({ kind: 'answer', call, value });
    } catch (error) {
      reply({ kind: 'failed', call, error: carried(error) });
    }
    if (method === 'close') port?.close();
  }

  async function run(target: LedgerCall['target'], method: string, args: readonly unknown[]): Promise<unknown> {
    if (method === 'reconcile') return reconciled(String(args[0]), args[1] === true, Number(args[2]));
    if (method === 'ship') return ship(Number(args[0]));
    const owner = target === 'ledger' ? ledger : webhooks;
    const found: unknown = Reflect.get(owner, method);
    if (typeof found !== 'function') throw new Error(`the ledger has no ${method}`);
    return Reflect.apply(found, owner, args) as Promise<unknown>;
  }

  async function ship(nowMs: number): Promise<number> {
    const lines = await shipper.ship(nowMs);
    if (lines > 0) note?.write(await ledger.position(source));
    return lines;
  }

  async function reconciled(day: string, post: boolean, nowMs: number): Promise<Reconciliation> {
    await ship(nowMs);
    const found = await ledger.reconcile(tail, day);
    if (post) booked(await ledger.apply({ source: 'reconciliation', position: 0, events: found.corrections, nowMs }));
    return found;
  }

  function booked({ fresh, takenOff }: Applied): void {
    if (fresh.length === 0) return;
    const requests = fresh.filter(({ kind }) => kind === 'request').map(({ id }) => id);
    reply({ kind: 'booked', requests, corrections: fresh.filter(({ kind }) => kind !== 'request'), takenOff });
  }

  async function close(): Promise<void> {
    guarded.shutdown();
    tail.close();
    await ledger.close();
  }
}

function carried(error: unknown): CarriedError {
  if (error instanceof Error && CircuitBreaker.isOurError(error)) return { code: 'overloaded', message: 'The ledger cannot be asked now: its database does not answer.', param: null };
  const isOurs = error instanceof MeridianError;
  const message = error instanceof Error ? error.message : String(error);
  return { code: isOurs ? error.code : null, message, param: isOurs ? error.param : null };
}
