/** What an `HttpReader` tells as it reads. */
export interface HttpSink {
  /** The start line and the header lines, without the empty line at the end. */
  onHead(head: string): void;
  /** Bytes of the body, freed of their framing; they are valid only during the call. */
  onBody(bytes: Buffer): void;
  onEnd(): void;
}

type State =
  | { readonly at: 'head' }
  | { readonly at: 'body'; readonly left: number; readonly chunked: boolean }
  | { readonly at: 'size' }
  | { readonly at: 'trailers' };

const LINE_END = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const EMPTY = Buffer.alloc(0);

/**
 * Reads HTTP/1.1 messages, requests or responses, one after the other from one connection. It exists because the
 * measuring side must be cheaper than what it measures; it takes well-formed messages with a length or in chunks.
 */
export class HttpReader {
  readonly #sink: HttpSink;
  #state: State = { at: 'head' };
  #rest: Buffer = EMPTY;

  constructor(sink: HttpSink) {
    this.#sink = sink;
  }

  /** Takes what came from the socket; keeps a copy of what is not yet a whole line. */
  push(arrived: Buffer): void {
    const bytes = this.#rest.length === 0 ? arrived : Buffer.concat([this.#rest, arrived]);
    this.#rest = EMPTY;
    let from = 0;
    while (from < bytes.length) {
      const next = this.#step(bytes, from);
      if (next === -1) {
        this.#rest = Buffer.from(bytes.subarray(from));
        return;
      }
      from = next;
    }
  }

  /** Reads one piece that begins at `from`; returns where the next begins, or -1 when more bytes are needed. */
  #step(bytes: Buffer, from: number): number {
    switch (this.#state.at) {
      case 'head':
        return this.#readHead(bytes, from);
      case 'body':
        return this.#readBody(bytes, from, this.#state.left, this.#state.chunked);
      case 'size':
        return this.#readSize(bytes, from);
      case 'trailers':
        return this.#readTrailer(bytes, from);
    }
  }

  #readHead(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(HEAD_END, from);
    if (end === -1) return -1;
    const head = bytes.toString('latin1', from, end);
    const length = Number(LENGTH.exec(head)?.[1] ?? 0);
    const chunked = CHUNKED.test(head);
    this.#sink.onHead(head);
    if (chunked) this.#state = { at: 'size' };
    else if (length > 0) this.#state = { at: 'body', left: length, chunked: false };
    else this.#sink.onEnd();
    return end + HEAD_END.length;
  }

  #readBody(bytes: Buffer, from: number, left: number, chunked: boolean): number {
    const end = Math.min(bytes.length, from + left);
    this.#sink.onBody(bytes.subarray(from, end));
    const stillLeft = left - (end - from);
    if (stillLeft > 0) this.#state = { at: 'body', left: stillLeft, chunked };
    else if (chunked) this.#state = { at: 'size' };
    else this.#finish();
    return end;
  }

  /** A chunk's size stands on its own line, after the line end of the chunk before it. */
  #readSize(bytes: Buffer, from: number): number {
    const start = bytes[from] === 0x0d ? from + LINE_END.length : from;
    const end = bytes.indexOf(LINE_END, start);
    if (end === -1) return -1;
    const size = Number.parseInt(bytes.toString('latin1', start, end), 16);
    if (!(size >= 0)) throw new Error(`Not a chunk size: ${bytes.toString('latin1', start, end)}`);
    this.#state = size === 0 ? { at: 'trailers' } : { at: 'body', left: size, chunked: true };
    return end + LINE_END.length;
  }

  #readTrailer(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(LINE_END, from);
    if (end === -1) return -1;
    if (end === from) this.#finish();
    return end + LINE_END.length;
  }

  #finish(): void {
    this.#state = { at: 'head' };
    this.#sink.onEnd();
  }
}
