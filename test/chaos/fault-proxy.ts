import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Toxics, World } from './fault-lane.ts';
import { FaultLine, type Breakage, type Direction } from './fault-line.ts';

interface PlannedCut {
  readonly direction: Direction;
  readonly afterBytes: number;
  readonly how: Breakage;
  /** For so many more connections. */
  left: number;
}

interface Awaited {
  readonly direction: Direction;
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * A TCP proxy on loopback that does to connections what networks do: delays, narrows, slices, stalls and swallows them,
 * breaks them now or after so many bytes, and refuses or ignores new ones. What it does by chance comes from its `rng`, one
 * draw of it for each lane, in the order the connections come; what the system reads at once, and so how often a lane draws, is
 * the system's. Bytes are never changed or reordered, and lost only where a
 * fault says so. In each direction of a connection at most 1 MiB and one read of 64 KiB is under way; beyond that the sender
 * is held back.
 */
export class FaultProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #world: World;
  readonly #lines = new Set<FaultLine>();
  /** Connections that were accepted and are ignored. */
  readonly #ignored = new Set<Socket>();
  readonly #cuts: PlannedCut[] = [];
  readonly #bytes: Record<Direction, number> = { up: 0, down: 0 };
  #toxics: Readonly<Record<Direction, Toxics>> = { up: {}, down: {} };
  #isIgnoring = false;
  #isClosed = false;
  #listening: Promise<void> = Promise.resolve();
  #awaited: Awaited[] = [];
  #onEmpty: () => void = () => {};

  private constructor(server: Server, port: number, target: { readonly host: string; readonly port: number }, world: World) {
    this.#server = server;
    this.port = port;
    this.#target = target;
    this.#world = world;
    server.on('connection', (client: Socket) => this.#accept(client));
  }

  /** `port`: any free one if it is left out; `host`: loopback. */
  static async start(target: { readonly host: string; readonly port: number }, world: World, port = 0, host = '127.0.0.1'): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
    server.listen(port, host);
    await once(server, 'listening');
    const address = server.address();
    return new FaultProxy(server, typeof address === 'object' && address !== null ? address.port : 0, target, world);
  }

  /** Those of which an end is still open, and those that are ignored. */
  get connections(): number {
    return this.#lines.size + this.#ignored.size;
  }

  /** Bytes that were handed to the system in one direction, over all connections. Those ahead of a reset may not reach the reader. */
  bytes(direction: Direction): number {
    return this.#bytes[direction];
  }

  /** For connections there are and those to come, in the place of what was set before. */
  set(direction: Direction, toxics: Toxics): void {
    this.#toxics = { ...this.#toxics, [direction]: toxics };
    for (const line of this.#lines) line.changed(direction);
  }

  /** Breaks every connection now; a half-close or a stall is of one direction. */
  breakAll(how: Breakage, direction: Direction = 'down'): void {
    for (const line of this.#lines) line.break(direction, how);
    if (how === 'half-close' || how === 'stall') return;
    for (const socket of this.#ignored) {
      if (how === 'reset') socket.resetAndDestroy();
      else socket.destroySoon();
    }
  }

  /** Breaks each of the next `connections` once exactly `afterBytes` have passed on it. Cuts wait in line: a connection gets one. */
  cutNext(direction: Direction, afterBytes: number, how: Breakage, connections = 1): void {
    this.#cuts.push({ direction, afterBytes, how, left: connections });
  }

  /** Breaks each connection there is after exactly `afterBytes` more. */
  cutAfter(direction: Direction, afterBytes: number, how: Breakage): void {
    for (const line of this.#lines) line.cutAfter(direction, afterBytes, how);
  }

  /** Closes the port, or opens it again; calls take effect one after the other. Connections there are go on. */
  refuse(isRefusing: boolean): Promise<void> {
    const before = this.#listening.catch(() => {});
    this.#listening = before.then(() => this.#listen(!isRefusing));
    return this.#listening;
  }

  /**
   * Accepts new connections and does nothing with them: the target is not dialled, nothing is read, nothing is answered, and
   * the sender is held back by the system's own buffers. That a client has left is not noticed until it is over; then the
   * connections that wait go on as new ones. A SYN without an answer is another thing: that needs a listener that accepts nothing.
   */
  ignore(isIgnoring: boolean): void {
    this.#isIgnoring = isIgnoring;
    if (isIgnoring) return;
    const waiting = [...this.#ignored];
    this.#ignored.clear();
    for (const client of waiting) {
      client.removeAllListeners();
      if (!client.destroyed) this.#join(client);
    }
  }

  /** Everything is well again; what was stalled or ignored goes on, cuts that have not come never come. */
  async heal(): Promise<void> {
    this.#cuts.length = 0;
    this.#toxics = { up: {}, down: {} };
    for (const line of this.#lines) line.heal();
    this.ignore(false);
    await this.refuse(false);
  }

  /** Resolves once so many bytes in all have passed in a direction; rejects when the proxy is closed before. */
  passed(direction: Direction, bytes: number): Promise<void> {
    if (this.#bytes[direction] >= bytes) return Promise.resolve();
    return new Promise((resolve, reject) => this.#awaited.push({ direction, bytes, resolve, reject }));
  }

  /** Resets all connections and listens no more. Resolves once every socket is closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { direction, bytes, reject } of this.#awaited.splice(0)) {
      reject(new Error(`the proxy was closed before ${bytes} bytes had passed ${direction}`));
    }
    await this.refuse(true);
    this.breakAll('reset');
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      this.#left();
    });
  }

  async #listen(isListening: boolean): Promise<void> {
    if (this.#server.listening === isListening || (isListening && this.#isClosed)) return;
    if (!isListening) return void this.#server.close();
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  #accept(client: Socket): void {
    if (!this.#isIgnoring) return this.#join(client);
    this.#ignored.add(client);
    client.on('error', () => {});
    client.on('close', () => {
      this.#ignored.delete(client);
      this.#left();
    });
  }

  #join(client: Socket): void {
    const line = new FaultLine(client, {
      target: this.#target,
      world: this.#world,
      toxics: (direction) => this.#toxics[direction],
      onBytes: (direction, count) => this.#count(direction, count),
      onClosed: () => {
        this.#lines.delete(line);
        this.#left();
      },
    });
    this.#lines.add(line);
    const [cut] = this.#cuts;
    if (cut === undefined) return;
    cut.left -= 1;
    if (cut.left <= 0) this.#cuts.shift();
    line.cutAfter(cut.direction, cut.afterBytes, cut.how);
  }

  #left(): void {
    if (this.connections === 0) this.#onEmpty();
  }

  #count(direction: Direction, bytes: number): void {
    this.#bytes[direction] += bytes;
    this.#awaited = this.#awaited.filter((one) => {
      const isThere = this.#bytes[one.direction] >= one.bytes;
      if (isThere) one.resolve();
      return !isThere;
    });
  }
}
