/** Bytes of prompt in a block. */
export const BLOCK_BYTES = 512;
/** Hashes have 53 bits, so that they are also exact as numbers: 32 in the low word, 21 in the high one. */
const HIGH_MASK = 0x1f_ffff;

const WORDS = BLOCK_BYTES / 4;
const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;

/**
 * Chains the whole blocks of `words` (little-endian, the prompt's bytes) on the hash (low, high) before them, and writes two
 * words per block into `chain` from `at`. Four lanes of xxHash32's round (Collet), so that they run side by side.
 */
export function chainBlocks(words: Uint32Array, blocks: number, low: number, high: number, chain: Uint32Array, at: number): void {
  let [lastLow, lastHigh] = [low, high];
  for (let block = 0; block < blocks; block += 1) {
    let a = (lastLow + P1) | 0;
    let b = (lastHigh + P2) | 0;
    let c = lastLow ^ P3;
    let d = (lastHigh - P1) | 0;
    const end = (block + 1) * WORDS;
    for (let i = block * WORDS; i < end; i += 4) {
      a = round(a, words[i] ?? 0);
      b = round(b, words[i + 1] ?? 0);
      c = round(c, words[i + 2] ?? 0);
      d = round(d, words[i + 3] ?? 0);
    }
    lastLow = avalanche(rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18));
    lastHigh = avalanche((rotated(a, 19) ^ Math.imul(b, P4)) + rotated(c, 3) + Math.imul(d, P3)) & HIGH_MASK;
    chain[at + 2 * block] = lastLow;
    chain[at + 2 * block + 1] = lastHigh;
  }
}

/** A block's hash as a number. */
export function blockKey(low: number, high: number): number {
  return high * 0x1_0000_0000 + low;
}

function round(lane: number, word: number): number {
  return Math.imul(rotated((lane + Math.imul(word, P2)) | 0, 13), P1);
}

function rotated(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

function avalanche(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 15), P2);
  mixed = Math.imul(mixed ^ (mixed >>> 13), P3);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
