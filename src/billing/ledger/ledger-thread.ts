import { parentPort, workerData } from 'node:worker_threads';
import { MeridianError } from '../../core/index.ts';
import { JournalTail } from '../journal/journal-tail.ts';
import type { LedgerEvent } from './ledger-event.ts';
import type { FromLedgerThread, LedgerCall, LedgerThreadSettings } from './ledger-protocol.ts';
import type { Reconciliation } from './reconcile.ts';
import { Shipper } from './shipper.ts';
import { openSqliteLedger } from './sql-ledger.ts';

const port = parentPort;
if (port === null) throw new Error('ledger-thread.ts runs as a worker thread, started by openLedger');

const { path, journalPath, source, sealKey } = workerData as LedgerThreadSettings;
const ledger = openSqliteLedger(path, { sealKey: Buffer.from(sealKey) });
const { webhooks } = ledger;
const tail = new JournalTail(journalPath);
const reply = (message: FromLedgerThread): void => port.postMessage(message);
const shipper = new Shipper(source, tail, ledger, booked);

/** One call after the other: none sees half of what another one does. */
let last = Promise.resolve();
port.on('message', (call: LedgerCall) => {
  last = last.then(() => answer(call));
});
reply({ kind: 'ready' });

async function answer({ call, target, method, args }: LedgerCall): Promise<void> {
  try {
    const value = method === 'close' ? await close() : await run(target, method, args);
    reply({ kind: 'answer', call, value });
  } catch (error) {
    const isOurs = error instanceof MeridianError;
    const message = error instanceof Error ? error.message : String(error);
    reply({ kind: 'failed', call, error: { code: isOurs ? error.code : null, message, param: isOurs ? error.param : null } });
  }
  if (method === 'close') port?.close();
}

function run(target: LedgerCall['target'], method: string, args: readonly unknown[]): Promise<unknown> {
  if (method === 'reconcile') return reconciled(String(args[0]), args[1] === true, Number(args[2]));
  if (method === 'ship') return shipper.ship(Number(args[0]));
  const owner = target === 'ledger' ? ledger : webhooks;
  const found: unknown = Reflect.get(owner, method);
  if (typeof found !== 'function') throw new Error(`the ledger has no ${method}`);
  return Reflect.apply(found, owner, args) as Promise<unknown>;
}

async function reconciled(day: string, post: boolean, nowMs: number): Promise<Reconciliation> {
  await shipper.ship(nowMs);
  const found = await ledger.reconcile(tail, day);
  if (post) booked(await ledger.apply({ source: 'reconciliation', position: 0, events: found.corrections, nowMs }));
  return found;
}

function booked(fresh: readonly LedgerEvent[]): void {
  if (fresh.length === 0) return;
  const requests = fresh.filter(({ kind }) => kind === 'request').map(({ id }) => id);
  reply({ kind: 'booked', requests, corrections: fresh.filter(({ kind }) => kind !== 'request') });
}

async function close(): Promise<void> {
  tail.close();
  await ledger.close();
}
