import { ReplicaSets } from './replica-sets.ts';

/** A replica's place in the index; its number changes when what was known of its cache is forgotten. */
export interface IndexedReplica {
  readonly id: string;
  slot: number;
}

const FIRST_CAPACITY = 1 << 10;
/** The table grows beyond three quarters full. */
const FILL = { of: 4, most: 3 };
/** One pass over the table takes milliseconds, so forgotten slots are gathered for it. */
const FORGOTTEN_MIN = 32;

/**
 * Which replicas hold which prompt prefixes: block hash → set of replicas. One walk along a prompt's chain finds the
 * longest prefix that each replica holds. Open addressing with linear probing in flat arrays: twelve bytes a place, so
 * that a thousand replicas with four thousand blocks each fit into 250 MB.
 */
export class PrefixIndex {
  readonly #blocksMax: number;
  readonly #replicas = new Map<string, IndexedReplica>();
  readonly #sets = new ReplicaSets();
  readonly #freeSlots: number[] = [];
  readonly #forgotten = new Set<number>();
  #slots = 0;
  #mask = FIRST_CAPACITY - 1;
  #low = new Uint32Array(FIRST_CAPACITY);
  #high = new Uint32Array(FIRST_CAPACITY);
  /** The set of replicas of each place; 0 marks a free one. */
  #refs = new Uint32Array(FIRST_CAPACITY);
  #blocks = 0;
  #refused = 0;
  #depths = new Uint32Array(64);

  /** `blocksMax`: different blocks at most; what comes beyond is not taken in, and routed by other terms. */
  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  /** Different blocks known. */
  get blocks(): number {
    return this.#blocks;
  }

  /** Blocks that were not taken in because the index was full. */
  get refused(): number {
    return this.#refused;
  }

  /** Bytes of its arrays. */
  get bytes(): number {
    return this.#low.byteLength * 3 + this.#sets.bytes;
  }

  /** The replica's place, made if there is none; keep it, and read its slot at each match. */
  replica(id: string): IndexedReplica {
    const known = this.#replicas.get(id);
    if (known !== undefined) return known;
    const made = { id, slot: this.#takeSlot() };
    this.#replicas.set(id, made);
    return made;
  }

  /** The replica holds these blocks; two words each. */
  stored(id: string, words: Uint32Array): void {
    const { slot } = this.replica(id);
    for (let i = 0; i + 1 < words.length; i += 2) this.#store(words[i] ?? 0, words[i + 1] ?? 0, slot);
  }

  /** The replica holds these blocks no more. */
  evicted(id: string, words: Uint32Array): void {
    const known = this.#replicas.get(id);
    if (known === undefined) return;
    for (let i = 0; i + 1 < words.length; i += 2) {
      const at = this.#find(words[i] ?? 0, words[i + 1] ?? 0);
      if (at >= 0) this.#drop(at, known.slot);
    }
  }

  /** Nothing is known of the replica's cache any more. */
  clear(id: string): void {
    const known = this.#replicas.get(id);
    if (known === undefined) return;
    this.#forget(known.slot);
    known.slot = this.#takeSlot();
  }

  /** The replica is gone. */
  remove(id: string): void {
    const known = this.#replicas.get(id);
    if (known === undefined) return;
    this.#replicas.delete(id);
    this.#forget(known.slot);
  }

  /**
   * How many blocks of `chain`, from its start, each replica holds: by slot, valid until the next call. `chain` has two
   * words per block.
   */
  match(chain: Uint32Array): Uint32Array {
    if (this.#depths.length < this.#slots) this.#depths = new Uint32Array(this.#slots * 2);
    this.#depths.fill(0);
    this.#sets.beginWalk(this.#slots);
    const blocks = chain.length >> 1;
    let depth = 0;
    while (depth < blocks) {
      const at = this.#find(chain[depth * 2] ?? 0, chain[depth * 2 + 1] ?? 0);
      if (at < 0 || !this.#sets.step(this.#refs[at] ?? 0, depth, this.#depths)) break;
      depth += 1;
    }
    this.#sets.endWalk(depth, this.#depths);
    return this.#depths;
  }

  #store(low: number, high: number, slot: number): void {
    const at = this.#find(low, high);
    if (at >= 0) {
      this.#refs[at] = this.#sets.with(this.#refs[at] ?? 0, slot);
      return;
    }
    if (this.#blocks >= this.#blocksMax) {
      this.#refused += 1;
      return;
    }
    if ((this.#blocks + 1) * FILL.of > (this.#mask + 1) * FILL.most) this.#grow();
    this.#put(low, high, this.#sets.with(0, slot));
    this.#blocks += 1;
  }

  /** The place of a block, or -1. */
  #find(low: number, high: number): number {
    let at = low & this.#mask;
    while (this.#refs[at] !== 0) {
      if (this.#low[at] === low && this.#high[at] === high) return at;
      at = (at + 1) & this.#mask;
    }
    return -1;
  }

  #put(low: number, high: number, ref: number): void {
    let at = low & this.#mask;
    while (this.#refs[at] !== 0) at = (at + 1) & this.#mask;
    this.#low[at] = low;
    this.#high[at] = high;
    this.#refs[at] = ref;
  }

  #drop(at: number, slot: number): void {
    const ref = this.#sets.without(this.#refs[at] ?? 0, slot);
    this.#refs[at] = ref;
    if (ref === 0) this.#free(at);
  }

  /** Moves those behind a freed place up, so that no search stops short of them. */
  #free(freed: number): void {
    this.#blocks -= 1;
    const mask = this.#mask;
    let hole = freed;
    let at = freed;
    for (;;) {
      at = (at + 1) & mask;
      const ref = this.#refs[at] ?? 0;
      if (ref === 0) break;
      const home = (this.#low[at] ?? 0) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#low[hole] = this.#low[at] ?? 0;
      this.#high[hole] = this.#high[at] ?? 0;
      this.#refs[hole] = ref;
      hole = at;
    }
    this.#refs[hole] = 0;
  }

  #grow(): void {
    this.#sweep();
    this.#resize((this.#mask + 1) * ((this.#blocks + 1) * FILL.of > (this.#mask + 1) * FILL.most ? 2 : 1));
  }

  #resize(capacity: number): void {
    const [low, high, refs] = [this.#low, this.#high, this.#refs];
    if (capacity === refs.length) return;
    this.#mask = capacity - 1;
    this.#low = new Uint32Array(capacity);
    this.#high = new Uint32Array(capacity);
    this.#refs = new Uint32Array(capacity);
    for (let at = 0; at < refs.length; at += 1) if (refs[at] !== 0) this.#put(low[at] ?? 0, high[at] ?? 0, refs[at] ?? 0);
  }

  #takeSlot(): number {
    if (this.#freeSlots.length === 0 && this.#forgotten.size >= Math.max(FORGOTTEN_MIN, this.#replicas.size / 4)) this.#sweep();
    const free = this.#freeSlots.pop();
    if (free !== undefined) return free;
    this.#slots += 1;
    this.#sets.widen(this.#slots);
    return this.#slots - 1;
  }

  #forget(slot: number): void {
    this.#forgotten.add(slot);
  }

  /** Takes forgotten slots out of every set, and frees them. */
  #sweep(): void {
    if (this.#forgotten.size === 0) return;
    for (let at = 0; at < this.#refs.length; ) {
      const ref = this.#refs[at] ?? 0;
      const left = ref === 0 ? 0 : this.#sets.withoutAll(ref, this.#forgotten);
      this.#refs[at] = left;
      // Another block may have moved up into a freed place: the same place is looked at again.
      if (ref !== 0 && left === 0) this.#free(at);
      else at += 1;
    }
    this.#freeSlots.push(...this.#forgotten);
    this.#forgotten.clear();
  }
}
