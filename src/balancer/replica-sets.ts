/** A reference with this bit names a bit set; without it, it holds up to two slots, each one up, 15 bits apiece. */
const IS_SET = 0x8000_0000;
const SLOT_BITS = 15;
const SLOT_MASK = (1 << SLOT_BITS) - 1;
const SLOTS_MAX = SLOT_MASK - 1;
const FIRST_SETS = 64;
const FULL = 0xffff_ffff;

/**
 * Sets of replica slots, as 32-bit references: sets of one or two slots are in the reference itself, larger ones are bit
 * sets in one pool. 0 is the empty set.
 */
export class ReplicaSets {
  #wordsPerSet = 1;
  #pool = new Uint32Array(FIRST_SETS);
  #counts = new Uint16Array(FIRST_SETS);
  readonly #freeSets: number[] = [];
  #sets = 0;
  /** Of a walk: the slots that hold the whole chain so far. */
  #alive = new Uint32Array(1);

  get bytes(): number {
    return this.#pool.byteLength + this.#counts.byteLength + this.#freeSets.length * 8;
  }

  /** Makes room for slots below `slots`. Throws RangeError beyond `SLOTS_MAX`. */
  widen(slots: number): void {
    if (slots > SLOTS_MAX) throw new RangeError(`more than ${SLOTS_MAX} replicas`);
    const words = Math.ceil(slots / 32);
    if (words <= this.#wordsPerSet) return;
    const wider = Math.max(words, Math.ceil(this.#wordsPerSet * 1.5));
    const pool = new Uint32Array(this.#counts.length * wider);
    for (let set = 0; set < this.#sets; set += 1) {
      pool.set(this.#pool.subarray(set * this.#wordsPerSet, (set + 1) * this.#wordsPerSet), set * wider);
    }
    this.#pool = pool;
    this.#wordsPerSet = wider;
    this.#alive = new Uint32Array(wider);
  }

  /** The set with `slot` in it. The old reference is void. */
  with(ref: number, slot: number): number {
    if ((ref & IS_SET) !== 0) {
      this.#add(ref & ~IS_SET, slot);
      return ref;
    }
    const first = firstOf(ref);
    const second = secondOf(ref);
    if (first === slot || second === slot) return ref;
    if (first < 0) return slot + 1;
    if (second < 0) return ref | ((slot + 1) << SLOT_BITS);
    const set = this.#newSet();
    for (const member of [first, second, slot]) this.#add(set, member);
    return (set | IS_SET) >>> 0;
  }

  /** The set without `slot`. The old reference is void. */
  without(ref: number, slot: number): number {
    if ((ref & IS_SET) === 0) {
      const first = firstOf(ref);
      const second = secondOf(ref);
      if (first === slot) return second + 1;
      return second === slot ? first + 1 : ref;
    }
    const set = ref & ~IS_SET;
    this.#delete(set, slot);
    return this.#shrunk(set, ref);
  }

  /** The set without any of `slots`. The old reference is void. */
  withoutAll(ref: number, slots: Iterable<number>): number {
    if ((ref & IS_SET) === 0) {
      let left = ref;
      for (const slot of slots) left = this.without(left, slot);
      return left;
    }
    const set = ref & ~IS_SET;
    for (const slot of slots) this.#delete(set, slot);
    return this.#shrunk(set, ref);
  }

  /**
   * Follows `refs`, the sets of the blocks of a chain from its start, and writes for each slot how many of them in a row it
   * is in. `depths` must be zero.
   */
  walk(refs: Uint32Array, blocks: number, depths: Uint32Array): void {
    const alive = this.#alive.fill(FULL);
    let last = 0;
    for (let depth = 0; depth < blocks; depth += 1) {
      const ref = refs[depth] ?? 0;
      if (ref === last) continue;
      last = ref;
      if ((ref & IS_SET) === 0) return this.#walkFew(refs, depth, blocks, depths);
      if (!this.#keep(ref & ~IS_SET, depth, depths)) return;
    }
    for (let word = 0; word < this.#wordsPerSet; word += 1) writeDepths(alive[word] ?? 0, word, blocks, depths);
  }

  /** Goes on from a set of one or two: no more than those can hold the rest. */
  #walkFew(refs: Uint32Array, from: number, blocks: number, depths: Uint32Array): void {
    const alive = this.#alive;
    const set = refs[from] ?? 0;
    let first = firstOf(set);
    let second = secondOf(set);
    if (first >= 0 && !isIn(alive, first)) first = -1;
    if (second >= 0 && !isIn(alive, second)) second = -1;
    if (first >= 0) alive[first >>> 5] = (alive[first >>> 5] ?? 0) & ~(1 << (first & 31));
    if (second >= 0) alive[second >>> 5] = (alive[second >>> 5] ?? 0) & ~(1 << (second & 31));
    if (from > 0) for (let word = 0; word < this.#wordsPerSet; word += 1) writeDepths(alive[word] ?? 0, word, from, depths);
    let last = set;
    for (let depth = from + 1; depth < blocks && (first >= 0 || second >= 0); depth += 1) {
      const ref = refs[depth] ?? 0;
      if (ref === last) continue;
      last = ref;
      if (first >= 0 && !this.#has(ref, first)) {
        depths[first] = depth;
        first = -1;
      }
      if (second >= 0 && !this.#has(ref, second)) {
        depths[second] = depth;
        second = -1;
      }
    }
    if (first >= 0) depths[first] = blocks;
    if (second >= 0) depths[second] = blocks;
  }

  #has(ref: number, slot: number): boolean {
    if ((ref & IS_SET) === 0) return firstOf(ref) === slot || secondOf(ref) === slot;
    return ((this.#pool[(ref & ~IS_SET) * this.#wordsPerSet + (slot >>> 5)] ?? 0) & (1 << (slot & 31))) !== 0;
  }

  /** Keeps of those alive the ones in the set, and writes the depth of the others; false when none is left. */
  #keep(set: number, depth: number, depths: Uint32Array): boolean {
    const alive = this.#alive;
    const start = set * this.#wordsPerSet;
    let any = 0;
    for (let word = 0; word < this.#wordsPerSet; word += 1) {
      const bits = this.#pool[start + word] ?? 0;
      const before = alive[word] ?? 0;
      const left = before & ~bits;
      if (left !== 0 && depth > 0) writeDepths(left, word, depth, depths);
      alive[word] = before & bits;
      any |= before & bits;
    }
    return any !== 0;
  }

  #newSet(): number {
    const free = this.#freeSets.pop();
    if (free !== undefined) return free;
    if (this.#sets === this.#counts.length) {
      const pool = new Uint32Array(this.#pool.length * 2);
      pool.set(this.#pool);
      this.#pool = pool;
      const counts = new Uint16Array(this.#counts.length * 2);
      counts.set(this.#counts);
      this.#counts = counts;
    }
    this.#sets += 1;
    return this.#sets - 1;
  }

  #add(set: number, slot: number): void {
    const word = set * this.#wordsPerSet + (slot >>> 5);
    const before = this.#pool[word] ?? 0;
    const after = before | (1 << (slot & 31));
    if (after === before || after >>> 0 === before) return;
    this.#pool[word] = after;
    this.#counts[set] = (this.#counts[set] ?? 0) + 1;
  }

  #delete(set: number, slot: number): void {
    const word = set * this.#wordsPerSet + (slot >>> 5);
    const bit = 1 << (slot & 31);
    const before = this.#pool[word] ?? 0;
    if ((before & bit) === 0) return;
    this.#pool[word] = before & ~bit;
    this.#counts[set] = (this.#counts[set] ?? 0) - 1;
  }

  /** A bit set of two or fewer goes back into its reference. */
  #shrunk(set: number, ref: number): number {
    if ((this.#counts[set] ?? 0) > 2) return ref;
    let small = 0;
    const start = set * this.#wordsPerSet;
    for (let word = 0; word < this.#wordsPerSet; word += 1) {
      let bits = this.#pool[start + word] ?? 0;
      this.#pool[start + word] = 0;
      while (bits !== 0) {
        small = this.with(small, word * 32 + 31 - Math.clz32(bits & -bits));
        bits &= bits - 1;
      }
    }
    this.#counts[set] = 0;
    this.#freeSets.push(set);
    return small;
  }
}

function isIn(words: Uint32Array, slot: number): boolean {
  return ((words[slot >>> 5] ?? 0) & (1 << (slot & 31))) !== 0;
}

/** Writes `depth` for each slot whose bit is set in a word. */
function writeDepths(bits: number, word: number, depth: number, depths: Uint32Array): void {
  let left = bits;
  while (left !== 0) {
    depths[word * 32 + 31 - Math.clz32(left & -left)] = depth;
    left &= left - 1;
  }
}

/** The slot, or -1, of the two places of a reference that is no bit set. */
function firstOf(ref: number): number {
  return (ref & SLOT_MASK) - 1;
}

function secondOf(ref: number): number {
  return ((ref >>> SLOT_BITS) & SLOT_MASK) - 1;
}
