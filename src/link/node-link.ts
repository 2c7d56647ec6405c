import { Agent, type AgentOptions } from 'node:https';
import { WebSocket, type ClientOptions } from 'ws';
import type { Cancel, Clock, Logger, Rng } from '../core/index.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import { FrameOutbox } from './frame-outbox.ts';
import { FrameKind, LinkProtocolError, readFrames } from './frames.ts';
import { Heartbeat } from './heartbeat.ts';
import { REFUSAL_HEADER } from './fleet-listener.ts';
import {
  CLOSE_REFUSED,
  CLOSE_REPLACED,
  readMessageFromGateway,
  SUBPROTOCOL,
  type MembersMessage,
  type MessageFromGateway,
  type MessageFromNode,
} from './messages.ts';
import { NodeStream } from './node-stream.ts';
import { writePrefixEvent, type PrefixEvent } from './prefix-event.ts';
import { readOpen, type OpenHead } from './stream-payloads.ts';

export interface NodeLinkOptions {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  /** `ws:` or `wss:` URL of a gateway's fleet listener. */
  readonly url: string;
  /** What is shown at each dial, and whom it is shown to. */
  readonly credentials: () => LinkCredentials;
  readonly pingMs: number;
  readonly deadMs: number;
  readonly reconnect: BackoffOptions;
  readonly batchWindowMs: number;
  readonly messageBytesMax: number;
  readonly heldBytesMax: number;
}

export interface LinkCredentials {
  /** Shown as a bearer token; null without one. */
  readonly token: string | null;
  /** PEM texts, and what else TLS is to know; only for `wss:`. */
  readonly tls: Pick<AgentOptions, 'ca' | 'cert' | 'key' | 'minVersion' | 'checkServerIdentity'>;
}

export interface NodeLinkEvents {
  /** The link stands: the first messages must be `hello`, `state` and `load`. */
  onConnected(): void;
  onOpen(stream: NodeStream, head: OpenHead, body: Buffer): void;
  /** The gateway wants no more of a stream. */
  onCancel(stream: NodeStream): void;
  /** A cancel crossed the end of its stream, which the gateway then does not take. */
  onCancelledLate(number: number): void;
  /** The link broke; its streams can reach nobody. */
  onLost(streams: readonly NodeStream[]): void;
  onAcknowledged(attempt: string): void;
  onOperation(operation: 'drain' | 'resume'): void;
  /** The gateway is not sure of a replica's cache any more. */
  onResync(replica: string): void;
  onMembers(members: MembersMessage): void;
  /** What was asked for by `renew`. */
  onCertificate(certificate: string): void;
}

const CONGESTED_BYTES = 256 * 1024;
const NO_MASK = (mask: Buffer): void => void mask.fill(0);

/** The node's end of one link: dials the gateway, and dials again with back-off and jitter whenever the link breaks. */
export class NodeLink {
  readonly #options: NodeLinkOptions;
  readonly #events: NodeLinkEvents;
  readonly #backoff: Backoff;
  readonly #streams = new Map<number, NodeStream>();
  #socket: WebSocket | null = null;
  #connection: Connection | null = null;
  #cancelRetry: Cancel | null = null;
  #lastStream = 0;
  #rttMs: number | null = null;
  #isClosed = false;

  constructor(options: NodeLinkOptions, events: NodeLinkEvents) {
    this.#options = options;
    this.#events = events;
    this.#backoff = new Backoff(options.reconnect, options.rng);
    this.#dial();
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  /** The newest round trip to the gateway; null before the first one of this connection. */
  get rttMs(): number | null {
    return this.#rttMs;
  }

  /** Highest stream number the gateway has opened on this connection. */
  get lastStream(): number {
    return this.#lastStream;
  }

  /** False when there is no link to send on. */
  send(message: MessageFromNode): boolean {
    const socket = this.#connection?.socket;
    if (socket === undefined) return false;
    if (socket.bufferedAmount > this.#options.heldBytesMax) {
      socket.terminate();
      return false;
    }
    socket.send(JSON.stringify(message));
    return true;
  }

  /** Resolves once the gateway has taken all that was sent before, and the streams it opened until then have come; at once without a link. */
  async roundTrip(): Promise<void> {
    await this.#connection?.heartbeat.roundTrip();
  }

  /** Tells what changed in a replica's cache; it may wait for frames of streams. */
  sendPrefix(event: PrefixEvent): void {
    this.#connection?.outbox.push({ stream: 0, kind: FrameKind.prefix, payload: writePrefixEvent(event) }, true);
  }

  /** Sends what is held back, and ends the link for good. */
  close(): void {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#connection?.outbox.flush();
    if (this.#connection === null) this.#socket?.terminate();
    else this.#connection.socket.close(1001);
    this.#lose('closed');
  }

  #dial(): void {
    const { url, credentials, messageBytesMax } = this.#options;
    const { token, tls } = credentials();
    const settings: ClientOptions = {
      ...(url.startsWith('wss:') ? { agent: new Agent(tls) } : {}),
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      maxPayload: messageBytesMax,
      perMessageDeflate: false,
      skipUTF8Validation: true,
      handshakeTimeout: 5_000,
      // Masking guards proxies against bytes that a web page chose. No page speaks here, and the gateway is spared the work.
      generateMask: NO_MASK,
    };
    const socket = new WebSocket(url, SUBPROTOCOL, settings);
    this.#socket = socket;
    let failure = 'the connection closed';
    let isRefused = false;
    socket.on('error', (error) => (failure = isRefused ? failure : error.message));
    socket.on('unexpected-response', (_request, { headers, statusCode }) => {
      isRefused = true;
      failure = `the gateway refuses this node: ${String(headers[REFUSAL_HEADER] ?? statusCode)}`;
      socket.terminate();
    });
    socket.on('open', () => this.#connect(socket));
    socket.on('close', (code, reason) => {
      const why = reason.length > 0 ? reason.toString() : failure;
      this.#lose(why);
      this.#redial(why, code === CLOSE_REPLACED || code === CLOSE_REFUSED);
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#onMessage(data, isBinary));
  }

  /** `isUnwanted`: another node has this one's id, and each would push the other out as often as it dials; or this one may not be linked. */
  #redial(reason: string, isUnwanted: boolean): void {
    if (this.#isClosed) return;
    const delayMs = isUnwanted ? this.#options.reconnect.maxMs : this.#backoff.next();
    this.#options.log.warn({ gateway: this.#options.url, reason, retryMs: Math.round(delayMs) }, 'node link is down');
    this.#cancelRetry = this.#options.clock.after(delayMs, () => this.#dial());
  }

  #connect(socket: WebSocket): void {
    if (this.#isClosed) return socket.terminate();
    const { clock, batchWindowMs, heldBytesMax, log, url } = this.#options;
    this.#lastStream = 0;
    this.#rttMs = null;
    this.#connection = {
      socket,
      outbox: new FrameOutbox(socket, { clock, batchWindowMs, congestedBytes: CONGESTED_BYTES, heldBytesMax }, () =>
        socket.terminate(),
      ),
      heartbeat: new Heartbeat(
        this.#options,
        (id) => socket.send(JSON.stringify({ type: 'ping', id })),
        () => socket.terminate(),
      ),
    };
    log.info({ gateway: url }, 'node link is up');
    this.#events.onConnected();
  }

  #lose(reason: string): void {
    const connection = this.#connection;
    if (connection === null) return;
    this.#connection = null;
    connection.heartbeat.stop();
    connection.outbox.close();
    const streams = [...this.#streams.values()];
    for (const stream of streams) stream.close();
    this.#options.log.debug({ gateway: this.#options.url, reason, streams: streams.length }, 'node link lost');
    this.#events.onLost(streams);
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    const connection = this.#connection;
    if (connection === null) return;
    connection.heartbeat.heard();
    try {
      if (isBinary) readFrames(data, (number, kind, payload) => this.#onFrame(connection, number, kind, payload));
      else this.#onControl(connection, readMessageFromGateway(data.toString()));
    } catch (error) {
      if (!(error instanceof LinkProtocolError)) throw error;
      this.#options.log.error({ gateway: this.#options.url, error: error.message }, 'the gateway broke the protocol');
      this.#lose(error.message);
      connection.socket.terminate();
    }
  }

  #onFrame(connection: Connection, number: number, kind: FrameKind, payload: Buffer): void {
    if (this.#connection !== connection) return;
    if (kind === FrameKind.open) return this.#open(connection, number, payload);
    if (kind !== FrameKind.cancel) throw new LinkProtocolError('a gateway sends open and cancel only');
    const stream = this.#streams.get(number);
    if (stream === undefined) return this.#events.onCancelledLate(number);
    stream.close();
    this.#events.onCancel(stream);
  }

  #open(connection: Connection, number: number, payload: Buffer): void {
    if (number <= this.#lastStream) throw new LinkProtocolError(`stream ${number} was opened before`);
    this.#lastStream = number;
    const { head, body } = readOpen(payload);
    const stream = new NodeStream(
      number,
      connection.outbox,
      () => this.#streams.size > 1,
      () => this.#streams.delete(number),
    );
    this.#streams.set(number, stream);
    this.#events.onOpen(stream, head, body);
  }

  #onControl(connection: Connection, message: MessageFromGateway): void {
    switch (message.type) {
      case 'ping':
        return void this.send({ type: 'pong', id: message.id });
      case 'pong':
        this.#rttMs = connection.heartbeat.pong(message.id) ?? this.#rttMs;
        return;
      case 'acknowledge':
        return this.#events.onAcknowledged(message.attempt);
      case 'members':
        // Only now is the node taken in: a gateway that refuses its `hello` is dialled ever more seldom.
        this.#backoff.reset();
        return this.#events.onMembers(message);
      case 'drain':
      case 'resume':
        return this.#events.onOperation(message.type);
      case 'resync':
        return this.#events.onResync(message.replica);
      case 'certificate':
        return this.#events.onCertificate(message.certificate);
    }
  }
}

interface Connection {
  readonly socket: WebSocket;
  readonly outbox: FrameOutbox;
  readonly heartbeat: Heartbeat;
}
