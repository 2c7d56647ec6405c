import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { MeridianError } from '../core/index.ts';
import { errorBody } from '../openai/index.ts';

const DONE = Buffer.from('data: [DONE]\n\n');
const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');
const SPACE = Buffer.from(' ');
const CRLF = 0x0a0d;
const RETRIED_BY_SDKS = new Set([408, 409, 429]);
const PIECE_BYTES = 64 * 1024;

/** A copy of a stream. */
interface Kept {
  readonly pieces: Buffer[];
  bytes: number;
  readonly bytesMax: number;
}

type State = 'open' | 'committed' | 'finished' | 'gone';

/**
 * The one place that writes to a client. Before it is committed an error still has a status of its own; after that an
 * error is an event of the stream. Ends exactly once: whole, failed, or gone with the client.
 */
export class ClientReply {
  readonly #response: ServerResponse;
  readonly #headers: () => Record<string, string>;
  readonly #isChunked: boolean;
  #streamed = false;
  #state: State = 'open';
  #gone: (() => void)[] = [];
  #onDrain: (() => void) | null = null;
  #hasWritten = false;
  #kept: Kept | null = null;
  #quietSinceMs: number;

  /** `headers` is asked for the headers of every answer when the head is sent. */
  constructor(response: ServerResponse, headers: () => Record<string, string>, now: number) {
    this.#response = response;
    this.#headers = headers;
    this.#isChunked = response.req.httpVersion === '1.1';
    this.#quietSinceMs = now;
    response.once('close', () => this.#onClose());
  }

  /** From here on the answer is a stream of events. */
  becomeStream(): void {
    this.#streamed = true;
  }

  get isGone(): boolean {
    return this.#state === 'gone';
  }

  get isCommitted(): boolean {
    return this.#state !== 'open';
  }

  /** Calls `listener` once if the client leaves before the answer is whole; at once if it has left. */
  onGone(listener: () => void): void {
    if (this.isGone) listener();
    else this.#gone.push(listener);
  }

  /** Sends the head of a 200 whose body follows in pieces. */
  commit(): void {
    if (this.#state !== 'open') return;
    this.#state = 'committed';
    this.#response.writeHead(200, {
      ...this.#headers(),
      ...(this.#streamed
        ? { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' }
        : { 'content-type': 'application/json' }),
    });
    this.#response.flushHeaders();
    this.#response.socket?.setNoDelay(true);
  }

  /** From here on keeps a copy of what is streamed, as long as it is no more than `bytesMax`. */
  keep(bytesMax: number): void {
    this.#kept = { pieces: [], bytes: 0, bytesMax };
  }

  /** The stream as it will have been when it ends well; null when it is not kept. */
  get kept(): Buffer | null {
    const kept = this.#kept;
    return kept === null || kept.bytes > kept.bytesMax ? null : Buffer.concat([...kept.pieces, DONE]);
  }

  /** Sends an answer that was given before. */
  replay({ requestId, contentType, body }: { readonly requestId: string; readonly contentType: string; readonly body: Buffer }): void {
    this.#response.writeHead(200, { ...this.#headers(), 'x-request-id': requestId, 'idempotent-replayed': 'true', 'content-type': contentType, 'content-length': String(body.length) });
    this.#finish(body);
  }

  /** Passes on bytes of the stream; false when the client should be given time before more. */
  write(bytes: Buffer): boolean {
    if (this.#state !== 'committed') return true;
    if (this.#kept !== null) this.#copy(bytes, this.#kept);
    return this.#send(bytes);
  }

  #copy(bytes: Buffer, kept: Kept): void {
    kept.bytes += bytes.length;
    if (kept.bytes <= kept.bytesMax) kept.pieces.push(Buffer.from(bytes));
    else kept.pieces.length = 0;
  }

  #send(bytes: Buffer): boolean {
    this.#hasWritten = true;
    const socket = this.#response.socket;
    // One chunk, one write: what `response.write` does in four pieces. Its own head went through the same socket before.
    if (socket !== null && this.#isChunked) return socket.write(chunk(bytes));
    return this.#response.write(bytes);
  }

  /** Calls `listener` when the client has taken what was written. */
  onDrain(listener: () => void): void {
    this.#onDrain = listener;
    const target: Socket | ServerResponse = this.#response.socket ?? this.#response;
    target.once('drain', () => this.#onDrain?.());
  }

  /**
   * Called now and then: a client that has heard nothing for too long gets a sign of life, which commits the answer to
   * a 200 if need be. Whatever was written since the last call counts as heard at `now`.
   */
  tick(now: number, quietMsMax: { readonly uncommitted: number; readonly committed: number }): void {
    if (this.#hasWritten) this.#quietSinceMs = now;
    this.#hasWritten = false;
    const maxMs = this.#state === 'committed' ? quietMsMax.committed : quietMsMax.uncommitted;
    if (now - this.#quietSinceMs < maxMs) return;
    this.#quietSinceMs = now;
    this.commit();
    if (this.#state === 'committed') this.#send(this.#streamed ? KEEP_ALIVE : SPACE);
  }

  /** Ends a stream that is whole. */
  endStream(): void {
    if (this.#state !== 'committed') return;
    this.#finish(DONE);
  }

  /** Sends an answer in one piece, and ends. */
  endWhole(status: number, body: Buffer, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#state === 'committed') return this.#finish(body);
    if (this.#state !== 'open') return;
    this.#response.writeHead(status, {
      ...this.#headers(),
      ...headers,
      'content-type': 'application/json',
      'content-length': String(body.length),
    });
    this.#finish(body);
  }

  /** Ends with an error: with its status if that can still be said, else as an event, and without `[DONE]`. */
  fail(error: MeridianError, headers: Readonly<Record<string, string>> = {}): void {
    const text = JSON.stringify(errorBody(error));
    const isEvent = this.#streamed && this.#state === 'committed';
    this.endWhole(error.row.status, Buffer.from(isEvent ? `data: ${text}\n\n` : text), { ...errorHeaders(error), ...headers });
  }

  /**
   * Resolves once the client has taken all of an answer that has ended, or has left. One that takes nothing for
   * `stillMsMax` is cut.
   */
  taken(stillMsMax: number): Promise<void> {
    const response = this.#response;
    if (response.writableFinished || response.destroyed) return Promise.resolve();
    // Each piece that is taken starts Node's timeout of the socket anew; without a listener it cuts.
    response.socket?.setTimeout(stillMsMax);
    return new Promise((resolve) => {
      response.once('finish', resolve);
      response.once('close', resolve);
    });
  }

  /** Cuts a client that does not read. */
  cut(): void {
    this.#response.destroy();
  }

  /** Sends the last bytes, in pieces that follow as the client takes them: one long write would not tell a slow one from a dead one. */
  #finish(last: Buffer): void {
    this.#state = 'finished';
    const response = this.#response;
    let at = 0;
    const send = (): void => {
      while (last.length - at > PIECE_BYTES) {
        at += PIECE_BYTES;
        if (!response.write(last.subarray(at - PIECE_BYTES, at))) return void response.once('drain', send);
      }
      response.end(last.subarray(at));
    };
    send();
  }

  #onClose(): void {
    const listeners = this.#gone;
    this.#gone = [];
    this.#onDrain = null;
    if (this.#state === 'finished') return;
    this.#state = 'gone';
    for (const listener of listeners) listener();
  }
}

/** `retry-after` in whole seconds, at most 60, and `retry-after-ms`, for errors that may pass. */
export function errorHeaders(error: MeridianError): Record<string, string> {
  const waitMs = error.retryAfterMs ?? (error.row.status === 503 ? 1000 : null);
  // What SDKs would try again by its status, in vain.
  if (!error.row.retryable && RETRIED_BY_SDKS.has(error.row.status)) return { 'x-should-retry': 'false' };
  if (waitMs === null) return {};
  const boundedMs = Math.min(60_000, Math.max(1, Math.ceil(waitMs)));
  return { 'retry-after': String(Math.ceil(boundedMs / 1000)), 'retry-after-ms': String(boundedMs) };
}

/** `bytes` as one chunk of HTTP/1.1's chunked coding. */
function chunk(bytes: Buffer): Buffer {
  const size = bytes.length.toString(16);
  const out = Buffer.allocUnsafe(size.length + bytes.length + 4);
  let at = out.write(size, 0, 'latin1');
  at = out.writeUInt16LE(CRLF, at);
  at += bytes.copy(out, at);
  out.writeUInt16LE(CRLF, at);
  return out;
}
