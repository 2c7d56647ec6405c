import { beforeEach, describe, expect, test } from 'vitest';
import { endOfTurn } from '../../src/core/index.ts';
import { FrameKind, readFrames, type Frame } from '../../src/link/index.ts';
import { FrameOutbox, MESSAGE_BYTES, type FrameOutboxOptions } from '../../src/link/frame-outbox.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A socket whose far end reads when the test says so. */
class StillSocket {
  bufferedAmount = 0;
  /** The streams named in each message. */
  readonly messages: number[][] = [];
  readonly sizes: number[] = [];
  readonly #dones: (() => void)[] = [];

  send(message: Buffer, done: () => void): void {
    const streams: number[] = [];
    readFrames(message, (stream) => streams.push(stream));
    this.messages.push(streams);
    this.sizes.push(message.length);
    this.bufferedAmount += message.length;
    this.#dones.push(done);
  }

  /** The far end reads the oldest message. */
  read(): void {
    this.bufferedAmount -= this.sizes[this.messages.length - this.#dones.length] ?? 0;
    this.#dones.shift()?.();
  }
}

let clock: ManualClock;
let socket: StillSocket;
let overflows: number;

beforeEach(() => {
  clock = new ManualClock();
  socket = new StillSocket();
  overflows = 0;
});

function outbox(options: Partial<FrameOutboxOptions> = {}): FrameOutbox {
  const all = { clock, batchWindowMs: 1, congestedBytes: 100, heldBytesMax: 10_000_000, ...options };
  return new FrameOutbox(socket, all, () => (overflows += 1));
}

const frame = (stream: number, bytes = 10): Frame => ({ stream, kind: FrameKind.data, payload: Buffer.alloc(bytes) });
const turn = (): Promise<void> => new Promise((resolve) => endOfTurn(resolve));

describe('the outbox', () => {
  test('sends what one turn brought as one message, in order', async () => {
    const box = outbox();
    for (const stream of [3, 1, 2, 1]) box.push(frame(stream), false);
    expect(socket.messages).toEqual([]);
    await turn();
    expect(socket.messages).toEqual([[3, 1, 2, 1]]);
  });

  test('lets frames that may gather wait for others of their step, and sends all at the end of the window', async () => {
    const box = outbox();
    box.push(frame(1), true);
    await turn();
    box.push(frame(2), true);
    box.push(frame(3), false);
    await turn();
    expect(socket.messages).toEqual([]);
    clock.advance(1);
    expect(socket.messages).toEqual([[1, 2, 3]]);
  });

  test('knows no window where there is none', async () => {
    outbox({ batchWindowMs: 0 }).push(frame(1), true);
    await turn();
    expect(socket.messages).toEqual([[1]]);
  });

  test('gathers on while the link is congested, and sends all of it when there is room', async () => {
    const box = outbox();
    box.push(frame(1, 200), false);
    await turn();
    for (const stream of [2, 3, 4]) {
      box.push(frame(stream, 200), false);
      await turn();
    }
    expect(socket.messages).toEqual([[1]]);
    socket.read();
    expect(socket.messages).toEqual([[1], [2, 3, 4]]);
  });

  test('goes on when something else fills the socket, since no message of its own would wake it', async () => {
    socket.bufferedAmount = 1_000_000;
    outbox().push(frame(1), false);
    await turn();
    expect(socket.messages).toEqual([[1]]);
  });

  test('makes messages that are not too long of much that has gathered', async () => {
    const box = outbox({ congestedBytes: 100_000_000 });
    for (let stream = 1; stream <= 5; stream += 1) box.push(frame(stream, MESSAGE_BYTES / 3), false);
    box.push(frame(6, 2 * MESSAGE_BYTES), false);
    box.push(frame(7), false);
    await turn();
    expect(socket.messages).toEqual([[1, 2], [3, 4], [5], [6], [7]]);
  });

  test('says once that it overflows, and takes nothing more', async () => {
    const box = outbox({ heldBytesMax: 1_000 });
    for (let i = 0; i < 200; i += 1) box.push(frame(1, 100), false);
    await turn();
    expect(overflows).toBe(1);
    expect(socket.messages).toEqual([]);
  });

  test('counts frames without bytes too', () => {
    const box = outbox({ heldBytesMax: 1_000 });
    for (let i = 0; i < 200; i += 1) box.push(frame(1, 0), false);
    expect(overflows).toBe(1);
  });

  test('forgets what it sent: only what is held back counts', async () => {
    const box = outbox({ heldBytesMax: 1_000 });
    for (let i = 0; i < 50; i += 1) {
      box.push(frame(1, 500), false);
      await turn();
      socket.read();
    }
    expect(overflows).toBe(0);
    expect(socket.messages).toHaveLength(50);
  });

  test('sends at once what it holds when told to, congested or not', async () => {
    const box = outbox();
    box.push(frame(1, 200), false);
    await turn();
    box.push(frame(2), false);
    box.flush();
    expect(socket.messages).toEqual([[1], [2]]);
    await turn();
    expect(socket.messages).toHaveLength(2);
  });

  test('drops what it holds when closed', async () => {
    const box = outbox();
    box.push(frame(1), true);
    box.close();
    box.push(frame(2), false);
    await turn();
    clock.advance(10);
    expect(socket.messages).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
