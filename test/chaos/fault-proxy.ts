import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Clock, Rng } from '../../src/core/index.ts';
import { FaultLane, type Breakage, type Toxics } from './fault-lane.ts';

/** `up`: from the client to the target; `down`: back. */
export type Direction = 'up' | 'down';

interface Line {
  readonly client: Socket;
  readonly target: Socket;
  readonly lanes: Readonly<Record<Direction, FaultLane>>;
}

interface PlannedCut {
  readonly direction: Direction;
  readonly afterBytes: number;
  readonly how: Breakage;
}

/**
 * A TCP proxy that does to connections what networks do: delays, narrows, slices and stalls them, breaks them now or after so
 * many bytes, and refuses new ones. What it does by chance comes from its `rng`. Bytes are never changed, lost or reordered; up
 * to 1 MiB is under way in each direction.
 */
export class FaultProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #world: { readonly clock: Clock; readonly rng: Rng };
  readonly #lines = new Set<Line>();
  /** Both ends of all lines, those among them that are over but for bytes nobody takes. */
  readonly #sockets = new Set<Socket>();
  readonly #cuts: PlannedCut[] = [];
  readonly #bytes: Record<Direction, number> = { up: 0, down: 0 };
  #toxics: Readonly<Record<Direction, Toxics>> = { up: {}, down: {} };
  #isRefusing = false;
  #awaited: { readonly direction: Direction; readonly bytes: number; readonly resolve: () => void }[] = [];

  private constructor(server: Server, port: number, target: { readonly host: string; readonly port: number }, world: { readonly clock: Clock; readonly rng: Rng }) {
    this.#server = server;
    this.port = port;
    this.#target = target;
    this.#world = world;
    server.on('connection', (client: Socket) => this.#accept(client));
  }

  static async start(target: { readonly host: string; readonly port: number }, world: { readonly clock: Clock; readonly rng: Rng }): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return new FaultProxy(server, typeof address === 'object' && address !== null ? address.port : 0, target, world);
  }

  get connections(): number {
    return this.#lines.size;
  }

  /** Bytes that have passed in one direction, over all connections. */
  bytes(direction: Direction): number {
    return this.#bytes[direction];
  }

  /** For connections there are and those to come. */
  set(direction: Direction, toxics: Toxics): void {
    this.#toxics = { ...this.#toxics, [direction]: toxics };
    for (const { lanes } of this.#lines) lanes[direction].pump();
  }

  /** Breaks every connection now. */
  breakAll(how: Breakage): void {
    for (const line of this.#lines) this.#break(line, 'down', how);
  }

  /** Breaks each of the next connections, one for each call, once exactly `afterBytes` have passed on it. */
  cutNext(direction: Direction, afterBytes: number, how: Breakage): void {
    this.#cuts.push({ direction, afterBytes, how });
  }

  /** Breaks each connection there is after exactly `afterBytes` more. */
  cutAfter(direction: Direction, afterBytes: number, how: Breakage): void {
    for (const line of this.#lines) line.lanes[direction].cutAfter(afterBytes, () => this.#break(line, direction, how));
  }

  /** Closes the port, or opens it again. Connections there are go on. */
  async refuse(isRefusing: boolean): Promise<void> {
    if (this.#isRefusing === isRefusing) return;
    this.#isRefusing = isRefusing;
    if (isRefusing) this.#server.close();
    else {
      this.#server.listen(this.port, '127.0.0.1');
      await once(this.#server, 'listening');
    }
  }

  /** Everything is well again; what was stalled goes on. */
  async heal(): Promise<void> {
    this.#cuts.length = 0;
    this.set('up', {});
    this.set('down', {});
    await this.refuse(false);
  }

  /** Resolves once so many bytes in all have passed in a direction. */
  passed(direction: Direction, bytes: number): Promise<void> {
    if (this.#bytes[direction] >= bytes) return Promise.resolve();
    return new Promise((resolve) => this.#awaited.push({ direction, bytes, resolve }));
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    return new Promise((resolve) => (this.#server.listening ? this.#server.close(() => resolve()) : resolve()));
  }

  #accept(client: Socket): void {
    const target = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const lane = (direction: Direction, from: Socket, to: Socket): FaultLane =>
      new FaultLane(from, to, this.#world, () => this.#toxics[direction], (count) => this.#count(direction, count));
    const line: Line = { client, target, lanes: { up: lane('up', client, target), down: lane('down', target, client) } };
    this.#lines.add(line);
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      // A break of either side breaks the other one, as it breaks: by a reset where there was one.
      socket.on('error', () => this.#break(line, 'down', 'reset'));
      socket.on('close', () => this.#closed(line, socket === client ? target : client));
    }
    const cut = this.#cuts.shift();
    if (cut !== undefined) line.lanes[cut.direction].cutAfter(cut.afterBytes, () => this.#break(line, cut.direction, cut.how));
    client.resume();
  }

  #count(direction: Direction, bytes: number): void {
    this.#bytes[direction] += bytes;
    this.#awaited = this.#awaited.filter((one) => {
      const isThere = this.#bytes[one.direction] >= one.bytes;
      if (isThere) one.resolve();
      return !isThere;
    });
  }

  #closed(line: Line, other: Socket): void {
    this.#lines.delete(line);
    for (const lane of Object.values(line.lanes)) lane.close();
    if (!other.destroyed) other.destroySoon();
  }

  #break({ client, target }: Line, direction: Direction, how: Breakage): void {
    switch (how) {
      case 'reset':
        client.resetAndDestroy();
        target.resetAndDestroy();
        return;
      case 'close':
        client.destroySoon();
        target.destroySoon();
        return;
      case 'half-close':
        (direction === 'down' ? client : target).end();
    }
  }
}

/** One thing to do, when so much time has passed or so many bytes have, whichever is named. */
export type Step = ({ readonly atMs: number } | { readonly direction: Direction; readonly afterBytes: number }) & { readonly act: (proxy: FaultProxy) => void };

/** Plays steps by time and by bytes; resolves when all are done. */
export async function playScript(proxy: FaultProxy, steps: readonly Step[], clock: Clock): Promise<void> {
  await Promise.all(
    steps.map(async (step) => {
      if ('atMs' in step) await new Promise<void>((resolve) => clock.after(step.atMs, resolve));
      else await proxy.passed(step.direction, step.afterBytes);
      step.act(proxy);
    }),
  );
}
