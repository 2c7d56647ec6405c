import { parentPort, workerData } from 'node:worker_threads';
import type { FromThread, ReadRequest, ThreadSettings, ToThread } from './journal-protocol.ts';
import { JournalStore } from './journal-store.ts';

const port = parentPort;
if (port === null) throw new Error('journal-thread.ts runs as a worker thread, started by openJournal');

const { path } = workerData as ThreadSettings;
const store = new JournalStore(path);
const reply = (message: FromThread): void => port.postMessage(message);

port.on('message', (message: ToThread) => {
  if (message.kind === 'write') reply(write(message));
  else if (message.kind === 'read') reply(answer(message.call, message.request));
  else {
    store.close();
    port.close();
  }
});
reply({ kind: 'ready', interrupted: store.settleInterrupted() });

function write(message: ToThread & { kind: 'write' }): FromThread {
  try {
    return { kind: 'written', report: store.write(message.batch) };
  } catch (error) {
    return { kind: 'refused', reason: String(error) };
  }
}

function answer(call: number, request: ReadRequest): FromThread {
  try {
    return { kind: 'answer', call, value: read(request) };
  } catch (error) {
    return { kind: 'unanswered', call, reason: String(error) };
  }
}

function read(request: ReadRequest): unknown {
  if (request.kind === 'find') return store.find(request.requestId);
  if (request.kind === 'list') return store.list(request.query);
  return store.totals();
}
