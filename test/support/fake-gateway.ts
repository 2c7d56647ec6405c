import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import type { WebSocket } from 'ws';
import { systemClock } from '../../src/core/index.ts';
import {
  acceptLinks,
  byToken,
  GatewayLink,
  type HelloMessage,
  type LoadMessage,
  type PrefixEvent,
  type SettledMessage,
  type StateMessage,
} from '../../src/link/index.ts';
import type { AttemptDispatch, AttemptTerms } from '../../src/openai/index.ts';

export const FLEET_TOKEN = 'a-token-for-the-fleet';

/** One attempt as the fake gateway sees it. */
export class SeenAttempt implements Dispatcher.DispatchHandler {
  controller: Dispatcher.DispatchController | null = null;
  status = 0;
  headers: Record<string, string | string[] | undefined> = {};
  text = '';
  trailers: unknown = null;
  error: Error | null = null;
  /** Gives the attempt up once so many pieces of its answer came. */
  piecesMax = Number.POSITIVE_INFINITY;
  pieces = 0;

  get isOver(): boolean {
    return this.trailers !== null || this.error !== null;
  }

  /** The settlement that came with the end. */
  get settlement(): unknown {
    const text: unknown = Reflect.get(Object(this.trailers), 'meridian-settlement');
    return typeof text === 'string' ? JSON.parse(text) : null;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
  }

  onResponseStart(_controller: unknown, status: number, headers: SeenAttempt['headers']): void {
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.text += chunk.toString();
    this.pieces += 1;
    if (this.pieces >= this.piecesMax) this.controller?.abort(new Error('the client left'));
  }

  onResponseEnd(_controller: unknown, trailers: unknown): void {
    this.trailers = trailers;
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.error = error;
  }
}

/** A gateway's end of node links and nothing else: keeps every message, opens attempts. */
export class FakeGateway {
  readonly hellos: HelloMessage[] = [];
  readonly loads: LoadMessage[] = [];
  readonly states: StateMessage[] = [];
  readonly settled: SettledMessage[] = [];
  readonly prefixes: PrefixEvent[] = [];
  readonly links: GatewayLink[] = [];
  /** The type of each message in the order they came. */
  readonly order: string[] = [];
  binaryMessages = 0;
  refused = 0;
  #http: Server | null = null;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  get url(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  get link(): GatewayLink {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error('no node is linked');
    return link;
  }

  get state(): string {
    return this.states.at(-1)?.state ?? 'none';
  }

  /** Listens, at the same port as before if it did before. */
  async start(token = FLEET_TOKEN): Promise<void> {
    const http = createServer();
    this.#http = http;
    http.on('connection', (socket) => this.#sockets.add(socket));
    http.on('upgrade', (request) => {
      if (request.headers.authorization !== `Bearer ${token}`) this.refused += 1;
    });
    acceptLinks(http, { admit: byToken(token), messageBytesMax: 1 << 24 }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve) => http.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (http.address() as AddressInfo).port;
  }

  /** Breaks all links and listens no more. */
  async stop(): Promise<void> {
    const http = this.#http;
    this.#http = null;
    if (http === null) return;
    const closed = new Promise<void>((resolve) => http.close(() => resolve()));
    for (const link of this.links) link.close('the test is over');
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  open(attempt: Partial<AttemptTerms> & { readonly id: string }, body: object, path = '/v1/chat/completions'): SeenAttempt {
    const seen = new SeenAttempt();
    const dispatch: AttemptDispatch = {
      path,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-secret': 'stays here' },
      body: Buffer.from(JSON.stringify(body)),
      attempt: { replica: 'n1', deadlineMs: 60_000, priority: 0, cacheSalt: 'ab12', streamed: true, usageAsked: false, continuable: false, resume: null, ...attempt },
    };
    this.link.dispatch(dispatch, seen);
    return seen;
  }

  #accept(socket: WebSocket): void {
    socket.on('message', (_data, isBinary) => {
      if (isBinary) this.binaryMessages += 1;
    });
    const link = new GatewayLink(
      socket,
      { clock: systemClock, pingMs: 500, deadMs: 5_000, streamBufferBytesMax: 1 << 20, heldBytesMax: 1 << 24 },
      {
        onHello: (_link, hello) => this.#keep(this.hellos, hello),
        onLoad: (load) => this.#keep(this.loads, load),
        onState: (state) => this.#keep(this.states, state),
        onSettled: async (settled) => this.#keep(this.settled, settled),
        onPrefix: (event) => void this.prefixes.push(event),
        onRenew: () => {},
        onRoundTrip: () => {},
        onClosed: () => {},
      },
    );
    this.links.push(link);
  }

  #keep<T extends { readonly type: string }>(list: T[], message: T): void {
    this.order.push(message.type);
    list.push(message);
  }
}
