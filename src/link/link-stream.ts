import type { Dispatcher } from 'undici';
import { AttemptError, settlementTrailers, type AttemptHandler, type TokenNews } from '../openai/index.ts';
import { readCounted } from './counted-data.ts';
import { FRAME_HEAD_BYTES, FrameKind, LinkProtocolError } from './frames.ts';
import { readAnswerHead, readStreamEnd, readStreamFailure, type AnswerHead } from './stream-payloads.ts';

/** One frame of the node, read. */
type Part =
  | { readonly kind: 'head'; readonly head: AnswerHead }
  | { readonly kind: 'data'; readonly bytes: Buffer; readonly news: TokenNews | null }
  | { readonly kind: 'end'; readonly trailers: Record<string, string> }
  | { readonly kind: 'error'; readonly error: AttemptError };

interface WaitingPart {
  readonly part: Part;
  readonly bytes: number;
}

/**
 * One attempt on a link, at the gateway's end: turns frames into the calls of a dispatch handler, and is its controller.
 * The link itself is always read; while the handler is paused its bytes gather here, up to a cap, and then the attempt
 * is given up.
 */
export class LinkStream implements Dispatcher.DispatchController {
  readonly #handler: AttemptHandler;
  readonly #bufferBytesMax: number;
  readonly #onGivenUp: () => void;
  /** How far the node has come with its answer; a paused handler may be behind. */
  #told: 'nothing' | 'head' | 'end' = 'nothing';
  #isOver = false;
  #paused = false;
  #reason: Error | null = null;
  #waiting: WaitingPart[] = [];
  #waitingBytes = 0;

  constructor(handler: AttemptHandler, bufferBytesMax: number, onGivenUp: () => void) {
    this.#handler = handler;
    this.#bufferBytesMax = bufferBytesMax;
    this.#onGivenUp = onGivenUp;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get aborted(): boolean {
    return this.#reason !== null;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  start(): void {
    this.#handler.onRequestStart?.(this, {});
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    while (!this.#paused && !this.#isOver) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#waitingBytes -= next.bytes;
      this.#deliver(next.part);
    }
  }

  /** Gives the attempt up: the node is told to stop, and nothing more is delivered but `reason`. */
  abort(reason: Error): void {
    if (this.#isOver) return;
    this.#reason = reason;
    this.#onGivenUp();
    this.fail(reason instanceof AttemptError ? reason : new AttemptError('cancelled', reason.message, null, { cause: reason }));
  }

  /** The link broke, or the attempt was given up. */
  fail(error: Error): void {
    if (this.#isOver) return;
    const kind = this.#told === 'nothing' ? 'unreachable' : 'broken';
    this.#end();
    this.#handler.onResponseError?.(this, error instanceof AttemptError ? error : new AttemptError(kind, error.message, null));
  }

  /** Takes one frame of the node. Throws LinkProtocolError when it cannot come now. */
  receive(kind: FrameKind, payload: Buffer): void {
    if (this.#isOver) return;
    const part = this.#read(kind, payload);
    if (!this.#paused) return this.#deliver(part);
    const bytes = FRAME_HEAD_BYTES + payload.length;
    // One frame may go past the cap: an answer that is not streamed comes in one.
    if (part.kind === 'data' && this.#waitingBytes > this.#bufferBytesMax) {
      return this.abort(new AttemptError('cancelled', 'the client reads too slowly', null));
    }
    this.#waitingBytes += bytes;
    // The message's memory is shared by all streams of a step: what waits is copied, so that it does not hold the rest.
    this.#waiting.push({ part: part.kind === 'data' ? { ...part, bytes: Buffer.from(part.bytes) } : part, bytes });
  }

  #read(kind: FrameKind, payload: Buffer): Part {
    switch (kind) {
      case FrameKind.data:
        if (this.#told !== 'head') throw new LinkProtocolError('data came outside an answer');
        return { kind: 'data', bytes: payload, news: null };
      case FrameKind.counted:
        if (this.#told !== 'head') throw new LinkProtocolError('data came outside an answer');
        return { kind: 'data', ...readCounted(payload) };
      case FrameKind.head: {
        if (this.#told !== 'nothing') throw new LinkProtocolError('a second head came');
        const head = readAnswerHead(payload);
        this.#told = 'head';
        return { kind: 'head', head };
      }
      case FrameKind.end: {
        if (this.#told !== 'head') throw new LinkProtocolError('the end came outside an answer');
        const { settlement } = readStreamEnd(payload);
        this.#told = 'end';
        return { kind: 'end', trailers: settlementTrailers(settlement) };
      }
      case FrameKind.error: {
        if (this.#told === 'end') throw new LinkProtocolError('an error came after the end');
        const failure = readStreamFailure(payload);
        this.#told = 'end';
        return { kind: 'error', error: new AttemptError(failure.kind, failure.message, failure.settlement) };
      }
      default:
        throw new LinkProtocolError('a node does not send that kind of frame');
    }
  }

  #deliver(part: Part): void {
    switch (part.kind) {
      case 'head':
        return this.#handler.onResponseStart?.(this, part.head.status, part.head.headers);
      case 'data':
        if (part.news !== null) this.#handler.onTokens?.(part.news);
        return this.#handler.onResponseData?.(this, part.bytes);
      case 'end':
        this.#end();
        return this.#handler.onResponseEnd?.(this, part.trailers);
      case 'error':
        this.#end();
        return this.#handler.onResponseError?.(this, part.error);
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#waiting = [];
  }
}
