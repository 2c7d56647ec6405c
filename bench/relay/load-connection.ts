import { createConnection, type Socket } from 'node:net';
import type { AnswerCheck } from './answer-check.ts';
import { HttpReader } from './http-reader.ts';
import type { Target } from './load-job.ts';

/** How one request went. */
export interface Outcome {
  /** What was wrong with the answer, or undefined. */
  readonly fault: string | undefined;
  readonly latencyMs: number;
  readonly firstTokenMs: number;
  /** Reads from the socket in which the answer came. */
  readonly reads: number;
}

interface Exchange {
  readonly check: AnswerCheck;
  readonly sentMs: number;
  readonly onFirstToken: () => void;
  readonly onEnd: (outcome: Outcome) => void;
  firstTokenMs: number;
  reads: number;
}

/** The bytes read from a socket are used before the next read, so all sockets share one buffer. */
const READ_BUFFER = Buffer.alloc(64 * 1024);

/** One keep-alive connection of a client, with one request at a time; it connects anew when the server closes it. */
export class LoadConnection {
  readonly #target: Target;
  #socket: Socket | undefined;
  #exchange: Exchange | undefined;
  #status = 0;
  #closesAfter = false;

  constructor(target: Target) {
    this.#target = target;
  }

  get isBusy(): boolean {
    return this.#exchange !== undefined;
  }

  /** Sends a whole request; `onEnd` hears exactly once how it went, unless the connection is closed before. */
  send(request: string, check: AnswerCheck, onEnd: (outcome: Outcome) => void, onFirstToken = (): void => {}): void {
    this.#exchange = { check, onEnd, onFirstToken, sentMs: performance.now(), firstTokenMs: Number.NaN, reads: 0 };
    this.#socket ??= this.#connect();
    this.#socket.write(request, 'latin1');
  }

  close(): void {
    this.#exchange = undefined;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #connect(): Socket {
    const reader = new HttpReader({
      onHead: (head) => {
        this.#status = Number(head.slice(9, 12));
        this.#closesAfter = /\r\nconnection: *close/i.test(head);
      },
      onBody: (bytes) => this.#take(bytes),
      onEnd: () => this.#end(this.#status === 200 ? this.#exchange?.check.fault() : this.#refusal()),
    });
    const socket = createConnection({
      port: this.#target.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (byteCount) => {
          if (this.#exchange !== undefined) this.#exchange.reads += 1;
          if (this.#socket === socket) reader.push(READ_BUFFER.subarray(0, byteCount));
          return true;
        },
      },
    });
    socket.on('error', (error) => this.#lose(socket, error.message));
    socket.on('close', () => this.#lose(socket, 'the connection was closed before the end of the answer'));
    return socket;
  }

  #take(bytes: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.check.take(bytes);
    if (!Number.isNaN(exchange.firstTokenMs) || !exchange.check.hasBegun) return;
    exchange.firstTokenMs = performance.now() - exchange.sentMs;
    exchange.onFirstToken();
  }

  #refusal(): string {
    return `status ${this.#status}: ${this.#exchange?.check.fault() ?? ''}`;
  }

  #end(fault: string | undefined): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    this.#exchange = undefined;
    if (this.#closesAfter || fault !== undefined) this.close();
    const { firstTokenMs, reads } = exchange;
    exchange.onEnd({ fault, latencyMs: performance.now() - exchange.sentMs, firstTokenMs, reads });
  }

  #lose(socket: Socket, reason: string): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#end(reason);
  }
}
