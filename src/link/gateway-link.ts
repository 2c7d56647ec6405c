import type { WebSocket } from 'ws';
import type { Clock } from '../core/index.ts';
import { AttemptError, type AttemptDispatch, type AttemptHandler, type Upstream } from '../openai/index.ts';
import { FrameOutbox } from './frame-outbox.ts';
import { FrameKind, LinkProtocolError, readFrames, STREAM_MAX } from './frames.ts';
import { Heartbeat } from './heartbeat.ts';
import { LinkStream } from './link-stream.ts';
import {
  CLOSE_REFUSED,
  CLOSE_REPLACED,
  readMessageFromNode,
  type HelloMessage,
  type LoadMessage,
  type MessageFromGateway,
  type MessageFromNode,
  type SettledMessage,
  type StateMessage,
} from './messages.ts';
import { readPrefixEvent, type PrefixEvent } from './prefix-event.ts';
import { writeOpen } from './stream-payloads.ts';

export interface GatewayLinkOptions {
  readonly clock: Clock;
  readonly pingMs: number;
  readonly deadMs: number;
  /** Bytes one paused stream may gather before its client is cut. */
  readonly streamBufferBytesMax: number;
  /** Bytes the node may leave unread before the link is given up. */
  readonly heldBytesMax: number;
}

export interface GatewayLinkEvents {
  onHello(link: GatewayLink, hello: HelloMessage): void;
  onLoad(load: LoadMessage): void;
  onState(state: StateMessage): void;
  /** The node is told that it may forget a settlement once this resolves; if it rejects, the node keeps it. */
  onSettled(settled: SettledMessage): Promise<void>;
  onPrefix(event: PrefixEvent): void;
  /** The node asks for a new certificate. */
  onRenew(request: string): void;
  onRoundTrip(rttMs: number): void;
  onClosed(reason: string): void;
}

const CONGESTED_BYTES = 1 << 20;
const NOTHING = Buffer.alloc(0);

/**
 * The gateway's end of one node link. To the rest of the gateway it is what an undici `Pool` is: something with
 * `dispatch(options, handler)`.
 */
export class GatewayLink implements Upstream {
  readonly #socket: WebSocket;
  readonly #options: GatewayLinkOptions;
  readonly #events: GatewayLinkEvents;
  readonly #outbox: FrameOutbox;
  readonly #heartbeat: Heartbeat;
  readonly #streams = new Map<number, LinkStream>();
  #lastStream = 0;
  #isClosed = false;

  constructor(socket: WebSocket, options: GatewayLinkOptions, events: GatewayLinkEvents) {
    this.#socket = socket;
    this.#options = options;
    this.#events = events;
    const { clock, heldBytesMax } = options;
    this.#outbox = new FrameOutbox(
      socket,
      { clock, batchWindowMs: 0, congestedBytes: CONGESTED_BYTES, heldBytesMax },
      () => this.close('the node does not read'),
    );
    this.#heartbeat = new Heartbeat(options, (id) => this.send({ type: 'ping', id }), () => this.close('the node is silent'));
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#onMessage(data, isBinary));
    socket.on('close', () => this.close('the connection closed'));
    socket.on('error', (error) => this.close(error.message));
  }

  /** Number of the newest stream. */
  get lastDispatch(): number {
    return this.#lastStream;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** Starts an attempt on the node; false, and an error to `handler`, when the link is closed. */
  dispatch(options: AttemptDispatch, handler: AttemptHandler): boolean {
    if (this.#lastStream === STREAM_MAX) this.close('every stream number is used');
    const number = this.#lastStream + 1;
    let isOpened = false;
    const stream = new LinkStream(handler, this.#options.streamBufferBytesMax, () => {
      if (isOpened) this.#cancel(number);
    });
    if (this.#isClosed) {
      stream.fail(new AttemptError('unreachable', 'the node link is closed', null));
      return false;
    }
    this.#lastStream = number;
    stream.start();
    // The handler may have given it up at once.
    if (stream.isOver) return true;
    isOpened = true;
    this.#streams.set(number, stream);
    const { method, path, headers, body, attempt } = options;
    this.#outbox.push({ stream: number, kind: FrameKind.open, payload: writeOpen({ method, path, headers, attempt }, body) }, false);
    return true;
  }

  /** Sends a control message. */
  send(message: MessageFromGateway): void {
    if (this.#isClosed) return;
    if (this.#socket.bufferedAmount > this.#options.heldBytesMax) return this.close('the node does not read');
    this.#socket.send(JSON.stringify(message));
  }

  /** Tells the node to stop a stream. One whose end has come too: its count was not taken, and comes as `settled` then. */
  #cancel(number: number): void {
    this.#streams.delete(number);
    this.#outbox.push({ stream: number, kind: FrameKind.cancel, payload: NOTHING }, false);
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#isClosed) return;
    this.#heartbeat.heard();
    try {
      if (isBinary) readFrames(data, (number, kind, payload) => this.#onFrame(number, kind, payload));
      else this.#onControl(readMessageFromNode(data.toString()));
    } catch (error) {
      if (!(error instanceof LinkProtocolError)) throw error;
      this.close(`the node broke the protocol: ${error.message}`);
    }
  }

  #onFrame(number: number, kind: FrameKind, payload: Buffer): void {
    if (kind === FrameKind.prefix) return this.#events.onPrefix(readPrefixEvent(payload));
    if (number > this.#lastStream) throw new LinkProtocolError(`stream ${number} was never opened`);
    const stream = this.#streams.get(number);
    if (stream === undefined) return;
    this.#receive(stream, kind, payload);
    if (kind === FrameKind.end || kind === FrameKind.error) this.#streams.delete(number);
  }

  /** What one stream's handler throws ends that stream, not the link that carries the others. */
  #receive(stream: LinkStream, kind: FrameKind, payload: Buffer): void {
    try {
      stream.receive(kind, payload);
    } catch (error) {
      if (error instanceof LinkProtocolError) throw error;
      stream.abort(new AttemptError('broken', 'the answer could not be passed on', null, { cause: error }));
    }
  }

  #onControl(message: MessageFromNode): void {
    switch (message.type) {
      case 'hello':
        return this.#events.onHello(this, message);
      case 'load':
        return this.#events.onLoad(message);
      case 'state':
        return this.#events.onState(message);
      case 'settled':
        void this.#events.onSettled(message).then(
          () => this.send({ type: 'acknowledge', attempt: message.attempt }),
          () => {},
        );
        return;
      case 'renew':
        return this.#events.onRenew(message.request);
      case 'ping':
        // A node that drains waits for this answer as the sign that no stream opened before is still on its way to it.
        this.#outbox.flush();
        return this.send({ type: 'pong', id: message.id });
      case 'pong': {
        const rttMs = this.#heartbeat.pong(message.id);
        if (rttMs !== null) this.#events.onRoundTrip(rttMs);
      }
    }
  }

  /** Closes the link; attempts under way fail. */
  close(reason: string): void {
    this.#end(reason, () => this.#socket.terminate());
  }

  /** Closes the link because the node may not be linked, and tells it why. */
  refuse(why: string): void {
    // A close frame's reason has 123 bytes at the most.
    this.#end(why, () => this.#socket.close(CLOSE_REFUSED, Buffer.from(why).subarray(0, 120)));
  }

  /** Closes the link because another node has dialled in with the same id, and tells this one. */
  replace(): void {
    this.#end('another node has this id', () => this.#socket.close(CLOSE_REPLACED, 'another node has dialled in with this id'));
  }

  #end(reason: string, close: () => void): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#heartbeat.stop();
    this.#outbox.close();
    close();
    this.#events.onClosed(reason);
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.fail(new Error(`the node link broke: ${reason}`));
  }
}
