import { appendFileSync, existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { runWorker, type WorkerBody } from '../../src/commands/run-worker.ts';
import type { WorkerOrder } from '../../src/commands/worker-messages.ts';
import { MeridianError, noLog, systemClock, wait } from '../../src/core/index.ts';
import { PublicDoor } from '../../src/wiring/public-door.ts';

/**
 * What a worker is to its pool, without a gateway in it: it answers with its slot, or with a stream of it, or dies when asked to. Files beside the
 * configuration tell it not to start, or never to be ready, in a slot.
 */
const PIECES = 40;
const PIECE_MS = 10;

async function start({ file, slot, slots }: WorkerOrder): Promise<WorkerBody> {
  const says = (what: string): boolean => existsSync(join(dirname(file), `${what}-${slot}`));
  if (says('refuse')) throw new MeridianError('conflict', { message: `the stand-in refuses slot ${slot} of ${slots}` });
  const server = createServer((request, response) => void answer(request, response, slot));
  const door = new PublicDoor(server, { host: '127.0.0.1', port: 0 });
  const end = async (): Promise<void> => {
    door.leave();
    while (door.connections > 0) await wait(systemClock, 5);
    door.close();
  };
  return {
    adminUrl: `admin-${slot}`,
    fleetUrl: null,
    door,
    log: noLog,
    isReady() {
      if (!says('unready')) return true;
      appendFileSync(join(dirname(file), `looks-${slot}`), '.');
      return false;
    },
    serving: () => 1,
    graceMs: () => 20_000,
    reload: async () => appendFileSync(join(dirname(file), 'reloads'), `${slot}\n`),
    drain: async () => door.close(),
    handOver: end,
  };
}

async function answer({ url }: IncomingMessage, response: ServerResponse, slot: number): Promise<void> {
  if (url === '/die') process.exit(7);
  if (url === '/stream') {
    for (let piece = 0; piece < PIECES; piece += 1) {
      response.write(`${slot} `);
      await wait(systemClock, PIECE_MS);
    }
  }
  response.end(`slot ${slot}`);
}

process.exitCode = await runWorker(start);
