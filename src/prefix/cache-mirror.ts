import { blockKey } from './block-hash.ts';

/**
 * What one engine's KV cache is believed to hold, as blocks of prompts: least recently used go first, a chain's end before its
 * beginning, so that what is held of a chain is always a prefix. Keeps what changed since somebody was last told.
 */
export class CacheMirror {
  /** A map keeps the order in which keys were set: the first is the block used longest ago. */
  readonly #held = new Map<number, true>();
  readonly #stored = new Set<number>();
  readonly #evicted = new Set<number>();
  #blocksMax: number;

  /** `blocksMax`: blocks that the cache has room for. */
  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  get blocks(): number {
    return this.#held.size;
  }

  /** Blocks stored or evicted that nobody was told of. */
  get changes(): number {
    return this.#stored.size + this.#evicted.size;
  }

  /** How many blocks from the start of `chain` are held. */
  match(chain: Uint32Array): number {
    let at = 0;
    while (at < chain.length && this.#held.has(keyAt(chain, at))) at += 2;
    return at / 2;
  }

  /** The engine has been through this chain: all of it is held now, as far as there is room. */
  insert(chain: Uint32Array): void {
    const end = Math.min(chain.length, 2 * this.#blocksMax);
    for (let at = end - 2; at >= 0; at -= 2) {
      const key = keyAt(chain, at);
      if (!this.#held.delete(key)) note(this.#stored, this.#evicted, key);
      this.#held.set(key, true);
    }
    this.#evictOver();
  }

  /** There is room for so many blocks now. */
  resize(blocksMax: number): void {
    this.#blocksMax = Math.max(0, blocksMax);
    this.#evictOver();
  }

  /** The cache was emptied. Whoever is told of it forgets all, so there are no changes left. */
  clear(): void {
    this.#held.clear();
    this.#stored.clear();
    this.#evicted.clear();
  }

  /** Everything held, as words. */
  words(): Uint32Array {
    return wordsOf(this.#held.keys(), this.#held.size);
  }

  /** Takes at most `most` changes, as words; what is left comes with the next call. */
  takeChanges(most: number): { readonly stored: Uint32Array; readonly evicted: Uint32Array } {
    const evicted = take(this.#evicted, most);
    return { evicted, stored: take(this.#stored, most - evicted.length / 2) };
  }

  #evictOver(): void {
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= this.#blocksMax) return;
      this.#held.delete(oldest);
      note(this.#evicted, this.#stored, oldest);
    }
  }
}

/** A block that comes and goes before anybody is told is no change. */
function note(to: Set<number>, from: Set<number>, key: number): void {
  if (!from.delete(key)) to.add(key);
}

function take(from: Set<number>, most: number): Uint32Array {
  const count = Math.min(most, from.size);
  const words = wordsOf(from, count);
  if (count === from.size) from.clear();
  else for (let at = 0; at < words.length; at += 2) from.delete(keyAt(words, at));
  return words;
}

function wordsOf(keys: Iterable<number>, count: number): Uint32Array {
  const words = new Uint32Array(count * 2);
  let at = 0;
  for (const key of keys) {
    if (at === words.length) break;
    words[at] = key >>> 0;
    words[at + 1] = Math.floor(key / 0x1_0000_0000);
    at += 2;
  }
  return words;
}

function keyAt(chain: Uint32Array, at: number): number {
  return blockKey(chain[at] ?? 0, chain[at + 1] ?? 0);
}
