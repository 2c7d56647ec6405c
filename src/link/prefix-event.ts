import { LinkProtocolError } from './frames.ts';

/** What changed in the cache of one replica. Blocks are two words (low, high) each: their 64-bit hashes. */
export interface PrefixEvent {
  /** Which of the node's replicas, as in `hello`. */
  readonly replica: number;
  /** Everything that was told before is void. */
  readonly isSnapshot: boolean;
  /** Rises by one with each event of the replica on this link. */
  readonly seq: number;
  readonly stored: Uint32Array;
  readonly evicted: Uint32Array;
}

const HEAD_BYTES = 16;
const HASH_BYTES = 8;
const SNAPSHOT = 1;

/** Payload of `prefix`: replica (u16), flags (u16), seq, how many are stored and evicted (u32 each), then their hashes (u64). */
export function writePrefixEvent({ replica, isSnapshot, seq, stored, evicted }: PrefixEvent): Buffer {
  const payload = Buffer.allocUnsafe(HEAD_BYTES + (stored.length + evicted.length) * 4);
  payload.writeUInt16LE(replica, 0);
  payload.writeUInt16LE(isSnapshot ? SNAPSHOT : 0, 2);
  payload.writeUInt32LE(seq, 4);
  payload.writeUInt32LE(stored.length / 2, 8);
  payload.writeUInt32LE(evicted.length / 2, 12);
  let at = HEAD_BYTES;
  for (const words of [stored, evicted]) for (const word of words) at = payload.writeUInt32LE(word, at);
  return payload;
}

/** Throws LinkProtocolError. */
export function readPrefixEvent(payload: Buffer): PrefixEvent {
  if (payload.length < HEAD_BYTES) throw new LinkProtocolError('a prefix frame is cut short');
  const stored = payload.readUInt32LE(8);
  const evicted = payload.readUInt32LE(12);
  if (payload.length !== HEAD_BYTES + (stored + evicted) * HASH_BYTES) throw new LinkProtocolError('a prefix frame is not as long as it says');
  return {
    replica: payload.readUInt16LE(0),
    isSnapshot: (payload.readUInt16LE(2) & SNAPSHOT) !== 0,
    seq: payload.readUInt32LE(4),
    stored: wordsAt(payload, HEAD_BYTES, stored),
    evicted: wordsAt(payload, HEAD_BYTES + stored * HASH_BYTES, evicted),
  };
}

function wordsAt(payload: Buffer, start: number, hashes: number): Uint32Array {
  const words = new Uint32Array(hashes * 2);
  for (let i = 0; i < words.length; i += 1) words[i] = payload.readUInt32LE(start + 4 * i);
  return words;
}
