import { createServer as createListener, type Server as Listener } from 'node:net';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { listen, schemeOf, urlHost, type ListenAt } from './listener.ts';

/** A listening socket as the system has it; `child_process` can send it to another process, where it goes on to listen. */
export type ListeningSocket = object;

/** One socket of several that listen at one port. */
export interface Seat {
  readonly url: string;
  readonly port: number;
  readonly socket: ListeningSocket;
}

const PATH = 'listen.public';

/**
 * How clients come in. A gateway by itself listens with its server. A worker has seats: listening sockets that share one port, which the system deals
 * connections out to, and which other processes hold as well, so that a seat that is given up loses none that waits in its queue.
 */
export class PublicDoor {
  readonly #server: Server;
  readonly #at: ListenAt;
  readonly #seats = new Map<number, Listener>();
  #connections = 0;

  constructor(server: Server, at: ListenAt) {
    this.#server = server;
    this.#at = at;
    server.on('connection', (socket: Socket) => {
      this.#connections += 1;
      socket.once('close', () => (this.#connections -= 1));
    });
  }

  /** Open ones, with requests and without. */
  get connections(): number {
    return this.#connections;
  }

  /** Base URL for OpenAI's SDKs at `port`. */
  url(port: number): string {
    return `${schemeOf(this.#at)}://${urlHost(this.#at.host)}:${port}/v1`;
  }

  /** Listens alone; resolves with the URL. */
  async open(): Promise<string> {
    return `${await listen(this.#server, this.#at, PATH, schemeOf(this.#at))}/v1`;
  }

  /** Opens a seat at `port`, beside others there; 0 takes any free port. Rejects with `conflict` where that cannot be. */
  async openSeat(seat: number, port: number): Promise<Seat> {
    const listener = this.#listener();
    const url = new URL(await listen(listener, { ...this.#at, port }, PATH, schemeOf(this.#at), { reusePort: true }));
    this.#seated(seat, listener);
    // The server's own word for its socket, which is what another process can be sent without this one letting go of it.
    const socket = Reflect.get(listener, '_handle') as ListeningSocket;
    return { url: `${url.origin}/v1`, port: Number(url.port), socket };
  }

  /** Listens at a seat that another process has opened. */
  async takeSeat(seat: number, socket: ListeningSocket): Promise<void> {
    if (this.#seats.has(seat)) return;
    const listener = this.#listener();
    await new Promise<void>((resolve, reject) => listener.once('error', reject).listen(socket, resolve));
    this.#seated(seat, listener);
  }

  /** Takes no more connections there; those that are open stay. */
  leaveSeat(seat: number): void {
    this.#seats.get(seat)?.close();
    this.#seats.delete(seat);
  }

  /** Takes no more connections, and makes each answer the last one of its connection, so that clients go to whoever listens now. */
  leave(): void {
    for (const seat of this.#seats.keys()) this.leaveSeat(seat);
    this.#server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => (response.shouldKeepAlive = false));
  }

  /** Cuts every connection. */
  close(): void {
    for (const seat of this.#seats.keys()) this.leaveSeat(seat);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #listener(): Listener {
    return createListener({ allowHalfOpen: true, noDelay: true }, (socket) => this.#server.emit('connection', socket));
  }

  #seated(seat: number, listener: Listener): void {
    // Node begins to watch for late requests once a server listens; this one is given its connections.
    if (!this.#server.listening && this.#seats.size === 0) this.#server.emit('listening');
    this.#seats.set(seat, listener);
  }
}
