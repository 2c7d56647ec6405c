import type { AttemptFailure, Settlement, TokenNews } from '../openai/index.ts';
import { writeCounted } from './counted-data.ts';
import type { FrameOutbox } from './frame-outbox.ts';
import { FrameKind } from './frames.ts';
import { writeJson } from './stream-payloads.ts';

/** Well below the longest message a gateway takes. */
const DATA_BYTES_MAX = 8 << 20;

/** One attempt on a link, at the node's end: what the node answers. Nothing is sent after the end, a failure or a cancel. */
export class NodeStream {
  readonly number: number;
  readonly #outbox: FrameOutbox;
  readonly #mayGather: () => boolean;
  readonly #onOver: () => void;
  #isOver = false;

  constructor(number: number, outbox: FrameOutbox, mayGather: () => boolean, onOver: () => void) {
    this.number = number;
    this.#outbox = outbox;
    this.#mayGather = mayGather;
    this.#onOver = onOver;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  head(status: number, headers: Readonly<Record<string, string>>): void {
    this.#send(FrameKind.head, writeJson({ status, headers }));
  }

  /** Data too long for a message goes in several frames; `news` goes with the first. */
  data(bytes: Buffer, news: TokenNews | null = null): void {
    let at = 0;
    if (news !== null) {
      at = DATA_BYTES_MAX;
      this.#send(FrameKind.counted, writeCounted(news, bytes.subarray(0, at)));
    }
    for (; at < bytes.length; at += DATA_BYTES_MAX) this.#send(FrameKind.data, bytes.subarray(at, at + DATA_BYTES_MAX));
  }

  end(settlement: Settlement): void {
    this.#send(FrameKind.end, writeJson({ settlement }));
    this.close();
  }

  fail(kind: AttemptFailure, message: string, settlement: Settlement | null): void {
    this.#send(FrameKind.error, writeJson({ kind, message, settlement }));
    this.close();
  }

  /** The gateway cancelled the stream, or the link broke: nothing more is sent. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver();
  }

  #send(kind: FrameKind, payload: Buffer): void {
    if (!this.#isOver) this.#outbox.push({ stream: this.number, kind, payload }, this.#mayGather());
  }
}
