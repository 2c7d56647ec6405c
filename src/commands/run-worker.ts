import type { SendHandle } from 'node:child_process';
import { once } from 'node:events';
import type { ListeningSocket, PublicDoor } from '../app.ts';
import { MeridianError, systemClock, type Logger } from '../core/index.ts';
import { untilStopped } from './until-stopped.ts';
import type { FromWorker, ToWorker, WorkerOrder } from './worker-messages.ts';

/** What a worker runs, as far as the process that supervises it cares. */
export interface WorkerBody {
  readonly adminUrl: string;
  readonly fleetUrl: string | null;
  readonly door: Pick<PublicDoor, 'openSeat' | 'takeSeat' | 'leaveSeat'>;
  readonly log: Logger;
  isReady(): boolean;
  /** Replicas that serve it. */
  serving(): number;
  /** The longest that handing over and draining take. */
  graceMs(): number;
  reload(): Promise<unknown>;
  drain(): Promise<void>;
  handOver(): Promise<void>;
}

const LOOK_MS = 50;

/**
 * The life of a worker: it gets its order, starts, tells how it is, opens and leaves seats as it is told, and ends when it was asked to, has handed
 * over, or its parent is gone. Resolves with the exit code.
 */
export async function runWorker(start: (order: WorkerOrder) => Promise<WorkerBody>): Promise<number> {
  // Until it can, it need not: it reads its file as it is.
  for (const signal of ['SIGHUP', 'SIGUSR2']) process.on(signal, () => {});
  const [order] = (await once(process, 'message')) as [WorkerOrder];
  let body: WorkerBody;
  try {
    body = await start(order);
  } catch (error) {
    tell({ kind: 'failed', message: messageOf(error) });
    process.disconnect?.();
    return 1;
  }
  process.on('message', (message: ToWorker, socket?: ListeningSocket) => obey(message, socket, body));
  // Whoever supervised it is gone without having said so.
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  tell({ kind: 'up', adminUrl: body.adminUrl, fleetUrl: body.fleetUrl });
  tellStates(body);
  return untilStopped(() => body.graceMs(), body.log, () => body.drain(), { SIGHUP: () => obey({ kind: 'reload' }, undefined, body), SIGUSR2: () => {} });
}

function obey(message: ToWorker, socket: ListeningSocket | undefined, body: WorkerBody): void {
  const { door, log } = body;
  const orFail = (act: Promise<void>): void => void act.catch((error: unknown) => tell({ kind: 'failed', message: messageOf(error) }));
  switch (message.kind) {
    case 'open':
      return orFail(door.openSeat(message.seat, message.port).then(({ url, port, socket: opened }) => tell({ kind: 'seated', seat: message.seat, opened: { url, port } }, opened)));
    case 'take':
      if (socket === undefined) return log.error({ seat: message.seat }, 'a seat came without its socket');
      return orFail(door.takeSeat(message.seat, socket).then(() => tell({ kind: 'seated', seat: message.seat, opened: null })));
    case 'reload':
      // What is wrong with the file is in the log.
      return void body.reload().catch(() => {});
    case 'leave':
      return door.leaveSeat(message.seat);
    case 'hand over':
      systemClock.after(body.graceMs(), () => process.exit(1));
      body.handOver().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ error }, 'what was handed over did not end well');
          process.exit(1);
        },
      );
  }
}

function tellStates(body: WorkerBody): void {
  let told = '';
  systemClock.every(LOOK_MS, () => {
    const state: FromWorker = { kind: 'state', isReady: body.isReady(), serving: body.serving() };
    const text = JSON.stringify(state);
    if (text === told) return;
    told = text;
    tell(state);
  });
}

function tell(message: FromWorker, socket?: ListeningSocket): void {
  if (process.connected) process.send?.(message, socket as SendHandle);
}

/** For the person at the terminal: no stack where the message says what to do. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isForPeople = error instanceof MeridianError || error.name === 'ConfigError' || 'syscall' in error;
  return isForPeople ? error.message : (error.stack ?? error.message);
}
