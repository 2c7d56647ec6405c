/** A reference with this bit names a bit set; without it, it holds up to two slots, each one up, 15 bits apiece. */
const IS_SET = 0x8000_0000;
const SLOT_BITS = 15;
const SLOT_MASK = (1 << SLOT_BITS) - 1;
const SLOTS_MAX = SLOT_MASK - 1;
const FIRST_SETS = 64;

/**
 * Sets of replica slots, as 32-bit references: sets of one or two slots are in the reference itself, larger ones are bit
 * sets in one pool. 0 is the empty set. Also keeps the walk along a chain: which slots still held every block so far.
 */
export class ReplicaSets {
  #wordsPerSet = 1;
  #pool = new Uint32Array(FIRST_SETS);
  #counts = new Uint16Array(FIRST_SETS);
  readonly #freeSets: number[] = [];
  #sets = 0;
  /** Slots that hold the whole chain so far; null before the first block, where all may. */
  #alive = new Uint32Array(1);
  #isBegun = false;

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
    const first = (ref & SLOT_MASK) - 1;
    const second = ((ref >>> SLOT_BITS) & SLOT_MASK) - 1;
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
      const first = (ref & SLOT_MASK) - 1;
      const second = ((ref >>> SLOT_BITS) & SLOT_MASK) - 1;
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

  beginWalk(slots: number): void {
    this.#isBegun = false;
    this.#alive.fill(0, 0, Math.ceil(slots / 32));
  }

  /** Goes on to the block at `depth`, which the slots of `ref` hold; writes the depth of those that end here. False when none goes on. */
  step(ref: number, depth: number, depths: Uint32Array): boolean {
    const first = this.#isBegun === false;
    this.#isBegun = true;
    return (ref & IS_SET) === 0 ? this.#stepPair(ref, depth, depths, first) : this.#stepSet(ref & ~IS_SET, depth, depths, first);
  }

  /** Those that held all `depth` blocks. */
  endWalk(depth: number, depths: Uint32Array): void {
    if (!this.#isBegun) return;
    for (let word = 0; word < this.#wordsPerSet; word += 1) writeDepths(this.#alive[word] ?? 0, word, depth, depths);
  }

  #stepPair(ref: number, depth: number, depths: Uint32Array, isFirst: boolean): boolean {
    const first = (ref & SLOT_MASK) - 1;
    const second = ((ref >>> SLOT_BITS) & SLOT_MASK) - 1;
    const alive = this.#alive;
    const hasFirst = first >= 0 && (isFirst || isIn(alive, first));
    const hasSecond = second >= 0 && (isFirst || isIn(alive, second));
    for (let word = 0; word < this.#wordsPerSet; word += 1) {
      const before = alive[word] ?? 0;
      let bits = 0;
      if (hasFirst && first >>> 5 === word) bits |= 1 << (first & 31);
      if (hasSecond && second >>> 5 === word) bits |= 1 << (second & 31);
      if (before !== bits >>> 0) writeDepths(before & ~bits, word, depth, depths);
      alive[word] = bits;
    }
    return hasFirst || hasSecond;
  }

  #stepSet(set: number, depth: number, depths: Uint32Array, isFirst: boolean): boolean {
    const alive = this.#alive;
    const start = set * this.#wordsPerSet;
    let any = 0;
    for (let word = 0; word < this.#wordsPerSet; word += 1) {
      const bits = this.#pool[start + word] ?? 0;
      const before = isFirst ? bits : (alive[word] ?? 0);
      const left = before & ~bits;
      if (left !== 0) writeDepths(left, word, depth, depths);
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
