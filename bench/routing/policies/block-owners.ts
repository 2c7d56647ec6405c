import { LRUCache } from 'lru-cache';

/** Which replicas hold which blocks, by whatever a peer learns it from; bounded per replica, the oldest go first. */
export class BlockOwners {
  readonly #blocksMax: number;
  readonly #blocks = new Map<string, LRUCache<number, true>>();

  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  store(replicaId: string, words: Uint32Array): void {
    let blocks = this.#blocks.get(replicaId);
    if (blocks === undefined) {
      blocks = new LRUCache({ max: this.#blocksMax });
      this.#blocks.set(replicaId, blocks);
    }
    for (let i = 0; i < words.length; i += 2) blocks.set(keyOf(words, i), true);
  }

  evict(replicaId: string, words: Uint32Array): void {
    const blocks = this.#blocks.get(replicaId);
    if (blocks !== undefined) for (let i = 0; i < words.length; i += 2) blocks.delete(keyOf(words, i));
  }

  forget(replicaId: string): void {
    this.#blocks.delete(replicaId);
  }

  /** Blocks known of a replica. */
  size(replicaId: string): number {
    return this.#blocks.get(replicaId)?.size ?? 0;
  }

  /** How many blocks from the start of `chain` the replica holds. */
  match(replicaId: string, chain: Uint32Array): number {
    const blocks = this.#blocks.get(replicaId);
    let at = 0;
    if (blocks !== undefined) while (at < chain.length && blocks.has(keyOf(chain, at))) at += 2;
    return at / 2;
  }
}

function keyOf(words: Uint32Array, at: number): number {
  return (words[at + 1] ?? 0) * 0x1_0000_0000 + (words[at] ?? 0);
}
