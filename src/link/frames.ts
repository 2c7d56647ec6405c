/**
 * Binary messages of the node link: `[stream u32, kind u8, length u32, bytes]*`, little-endian, any number of frames
 * of any streams in one message. The format is documented in `docs/node-protocol.md`.
 */
export const FrameKind = { open: 1, cancel: 2, head: 3, data: 4, end: 5, error: 6, prefix: 7, counted: 8 } as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export interface Frame {
  /** The gateway's number for the stream, 1 and up, never used twice on one link; 0 of `prefix`, which is of no stream. */
  readonly stream: number;
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

export const FRAME_HEAD_BYTES = 9;
export const STREAM_MAX = 0xffff_ffff;

/** A peer broke the protocol: its link is closed. */
export class LinkProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LinkProtocolError';
  }
}

/** Calls `onFrame` for each frame, in order; payloads are views into `message`. Throws LinkProtocolError. */
export function readFrames(message: Buffer, onFrame: (stream: number, kind: FrameKind, payload: Buffer) => void): void {
  let at = 0;
  while (at < message.length) {
    if (message.length - at < FRAME_HEAD_BYTES) throw new LinkProtocolError('a frame head is cut short');
    const stream = message.readUInt32LE(at);
    const kind = message[at + 4] ?? 0;
    const end = at + FRAME_HEAD_BYTES + message.readUInt32LE(at + 5);
    if (!isFrameKind(kind)) throw new LinkProtocolError(`frame kind ${kind} is not known`);
    if ((stream === 0) !== (kind === FrameKind.prefix)) throw new LinkProtocolError('prefix frames, and no others, are of stream 0');
    if (end > message.length) throw new LinkProtocolError('a frame is longer than its message');
    onFrame(stream, kind, message.subarray(at + FRAME_HEAD_BYTES, end));
    at = end;
  }
}

/** One message of all `frames`. */
export function writeFrames(frames: readonly Frame[]): Buffer {
  let length = 0;
  for (const frame of frames) length += FRAME_HEAD_BYTES + frame.payload.length;
  const message = Buffer.allocUnsafe(length);
  let at = 0;
  for (const frame of frames) {
    message.writeUInt32LE(frame.stream, at);
    message[at + 4] = frame.kind;
    message.writeUInt32LE(frame.payload.length, at + 5);
    at += FRAME_HEAD_BYTES;
    at += frame.payload.copy(message, at);
  }
  return message;
}

function isFrameKind(kind: number): kind is FrameKind {
  return kind >= FrameKind.open && kind <= FrameKind.counted;
}
