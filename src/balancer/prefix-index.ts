import { ReplicaSets } from './replica-sets.ts';

/** A replica's place in the index; its number changes when what was known of its cache is forgotten. */
export interface IndexedReplica {
  readonly id: string;
  slot: number;
}

const FIRST_CAPACITY = 1 << 10;
const PLACE_WORDS = 3;
const HIGH = 1;
const REF = 2;
/** The table grows beyond three quarters full. */
const FILL = { of: 4, most: 3 };
/** One pass over the table takes milliseconds, so forgotten slots are gathered for it. */
const FORGOTTEN_MIN = 32;

/**
 * Which replicas hold which prompt prefixes: block hash → set of replicas. One walk along a prompt's chain finds the
 * longest prefix that each replica holds. Open addressing with linear probing in one flat array, twelve bytes a place: a
 * look at a block costs one cache miss, and a thousand replicas with four thousand blocks each fit into 250 MB.
 */
export class PrefixIndex {
  readonly #blocksMax: number;
  readonly #replicas = new Map<string, IndexedReplica>();
  readonly #sets = new ReplicaSets();
  readonly #freeSlots: number[] = [];
  readonly #forgotten = new Set<number>();
  #slots = 0;
  #mask = FIRST_CAPACITY - 1;
  /** Three words a place: the hash, low and high, and the set of replicas, of which 0 marks a free place. */
  #table = new Uint32Array(FIRST_CAPACITY * PLACE_WORDS);
  #blocks = 0;
  #refused = 0;
  #depths = new Uint32Array(64);
  #walk = new Uint32Array(64);

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
    return this.#table.byteLength + this.#sets.bytes;
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
    this.#sets.walk(this.#walk, this.#gather(chain), this.#depths);
    return this.#depths;
  }

  /** Reads the sets of the chain's blocks up to the first that nobody holds; apart from the walk, so that the memory's waits overlap. */
  #gather(chain: Uint32Array): number {
    const blocks = chain.length >> 1;
    if (this.#walk.length < blocks) this.#walk = new Uint32Array(blocks * 2);
    for (let depth = 0; depth < blocks; depth += 1) {
      const at = this.#find(chain[depth * 2] ?? 0, chain[depth * 2 + 1] ?? 0);
      if (at < 0) return depth;
      this.#walk[depth] = this.#table[at + REF] ?? 0;
    }
    return blocks;
  }

  #store(low: number, high: number, slot: number): void {
    const at = this.#find(low, high);
    if (at >= 0) {
      this.#table[at + REF] = this.#sets.with(this.#table[at + REF] ?? 0, slot);
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

  /** Where a block's place begins in the table, or -1. */
  #find(low: number, high: number): number {
    const table = this.#table;
    const mask = this.#mask;
    for (let place = low & mask; ; place = (place + 1) & mask) {
      const at = place * PLACE_WORDS;
      if (table[at + REF] === 0) return -1;
      if (table[at] === low && table[at + HIGH] === high) return at;
    }
  }

  #put(low: number, high: number, ref: number): void {
    const table = this.#table;
    let place = low & this.#mask;
    while (table[place * PLACE_WORDS + REF] !== 0) place = (place + 1) & this.#mask;
    const at = place * PLACE_WORDS;
    table[at] = low;
    table[at + HIGH] = high;
    table[at + REF] = ref;
  }

  #drop(at: number, slot: number): void {
    const ref = this.#sets.without(this.#table[at + REF] ?? 0, slot);
    this.#table[at + REF] = ref;
    if (ref === 0) this.#free(at / PLACE_WORDS);
  }

  /** Moves those behind a freed place up, so that no search stops short of them. */
  #free(freed: number): void {
    this.#blocks -= 1;
    const table = this.#table;
    const mask = this.#mask;
    let hole = freed;
    for (let place = (freed + 1) & mask; table[place * PLACE_WORDS + REF] !== 0; place = (place + 1) & mask) {
      const at = place * PLACE_WORDS;
      const home = (table[at] ?? 0) & mask;
      if (((place - home) & mask) < ((place - hole) & mask)) continue;
      table.copyWithin(hole * PLACE_WORDS, at, at + PLACE_WORDS);
      hole = place;
    }
    table[hole * PLACE_WORDS + REF] = 0;
  }

  #grow(): void {
    this.#sweep();
    this.#resize((this.#mask + 1) * ((this.#blocks + 1) * FILL.of > (this.#mask + 1) * FILL.most ? 2 : 1));
  }

  #resize(capacity: number): void {
    const old = this.#table;
    if (capacity * PLACE_WORDS === old.length) return;
    this.#mask = capacity - 1;
    this.#table = new Uint32Array(capacity * PLACE_WORDS);
    for (let at = 0; at < old.length; at += PLACE_WORDS) {
      const ref = old[at + REF] ?? 0;
      if (ref !== 0) this.#put(old[at] ?? 0, old[at + HIGH] ?? 0, ref);
    }
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
    for (let place = 0; place <= this.#mask; ) {
      const at = place * PLACE_WORDS + REF;
      const ref = this.#table[at] ?? 0;
      const left = ref === 0 ? 0 : this.#sets.withoutAll(ref, this.#forgotten);
      this.#table[at] = left;
      // Another block may have moved up into a freed place: the same place is looked at again.
      if (ref !== 0 && left === 0) this.#free(place);
      else place += 1;
    }
    this.#freeSlots.push(...this.#forgotten);
    this.#forgotten.clear();
  }
}
