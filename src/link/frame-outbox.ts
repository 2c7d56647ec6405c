import { endOfTurn, type Cancel, type Clock } from '../core/index.ts';
import { FRAME_HEAD_BYTES, writeFrames, type Frame } from './frames.ts';

/** A message is full with this; only a frame that is longer by itself makes a longer one. */
export const MESSAGE_BYTES = 1 << 20;

export interface FrameOutboxOptions {
  readonly clock: Clock;
  /** How long frames may gather once many streams are open, so that one engine step leaves as one message. */
  readonly batchWindowMs: number;
  /** Bytes under way above which frames go on gathering instead of queueing behind them. */
  readonly congestedBytes: number;
  /** Bytes held back at the most; beyond that the link is given up. */
  readonly heldBytesMax: number;
}

/** What the outbox needs of a WebSocket. */
export interface MessageSocket {
  readonly bufferedAmount: number;
  send(message: Buffer, done: (error?: Error | null) => void): void;
}

/** Gathers frames and sends them as few messages: one per turn of the event loop, or per engine step. */
export class FrameOutbox {
  readonly #socket: MessageSocket;
  readonly #options: FrameOutboxOptions;
  readonly #onOverflow: () => void;
  #frames: Frame[] = [];
  #heldBytes = 0;
  #isScheduled = false;
  #underWay = 0;
  #isClosed = false;
  #cancelWindow: Cancel | null = null;

  constructor(socket: MessageSocket, options: FrameOutboxOptions, onOverflow: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.#onOverflow = onOverflow;
  }

  /** Queues a frame. `mayGather`: the frame may wait a batch window for others of its step. */
  push(frame: Frame, mayGather: boolean): void {
    if (this.#isClosed) return;
    this.#frames.push(frame);
    this.#heldBytes += frameBytes(frame);
    if (this.#heldBytes > this.#options.heldBytesMax) {
      this.close();
      return this.#onOverflow();
    }
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (mayGather && this.#options.batchWindowMs > 0) {
      this.#cancelWindow = this.#options.clock.after(this.#options.batchWindowMs, () => this.#flushUnlessCongested());
    } else {
      endOfTurn(() => this.#flushUnlessCongested());
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#frames = [];
    this.#cancelWindow?.();
  }

  /** Sends what has gathered, now. */
  flush(): void {
    while (this.#frames.length > 0) this.#sendMessage();
  }

  #flushUnlessCongested(): void {
    this.#isScheduled = false;
    while (this.#frames.length > 0 && !this.#isCongested) this.#sendMessage();
  }

  get #isCongested(): boolean {
    return this.#underWay > 0 && this.#socket.bufferedAmount > this.#options.congestedBytes;
  }

  #sendMessage(): void {
    const message = writeFrames(this.#takeFrames());
    this.#underWay += 1;
    this.#socket.send(message, () => {
      this.#underWay -= 1;
      if (!this.#isScheduled) this.#flushUnlessCongested();
    });
  }

  /** The frames of the next message. */
  #takeFrames(): Frame[] {
    let count = 0;
    let bytes = 0;
    for (const frame of this.#frames) {
      if (count > 0 && bytes + frameBytes(frame) > MESSAGE_BYTES) break;
      count += 1;
      bytes += frameBytes(frame);
    }
    this.#heldBytes -= bytes;
    return this.#frames.splice(0, count);
  }
}

function frameBytes(frame: Frame): number {
  return FRAME_HEAD_BYTES + frame.payload.length;
}
