const SLOT_MS = 1_000;
/** One more than a minute has, so that what counts has come within the last minute and is kept for a minute at the least. */
const SLOTS = 61;

/** How much was used within the last minute: exact to the second, and never less than it was. */
export class MinuteWindow {
  readonly #slots = new Float64Array(SLOTS);
  #newest = 0;
  #sum = 0;

  /** Adds `amount` now. Returns where it is, for `correct`. */
  add(amount: number, now: number): number {
    this.#moveOn(now);
    this.#put(this.#newest, amount);
    return this.#newest;
  }

  /** Changes what was added at `place` by `difference`. What is older than a minute is not looked at any more; more that comes to light then counts now. */
  correct(place: number, difference: number, now: number): void {
    this.#moveOn(now);
    const isKept = place > this.#newest - SLOTS;
    if (isKept || difference > 0) this.#put(isKept ? place : this.#newest, difference);
  }

  used(now: number): number {
    this.#moveOn(now);
    return this.#sum;
  }

  /** Milliseconds until at most `amount` of what is used now still counts. */
  untilUsed(amount: number, now: number): number {
    let left = this.used(now);
    for (let age = SLOTS - 1; age >= 0 && left > amount; age -= 1) {
      left -= this.#slots[index(this.#newest - age)] ?? 0;
      if (left <= amount) return (this.#newest - age + SLOTS) * SLOT_MS - now;
    }
    return 0;
  }

  #put(place: number, amount: number): void {
    const at = index(place);
    this.#slots[at] = (this.#slots[at] ?? 0) + amount;
    this.#sum += amount;
  }

  #moveOn(now: number): void {
    const slot = Math.floor(now / SLOT_MS);
    for (let i = Math.max(this.#newest + 1, slot - SLOTS + 1); i <= slot; i += 1) {
      this.#sum -= this.#slots[index(i)] ?? 0;
      this.#slots[index(i)] = 0;
    }
    this.#newest = Math.max(this.#newest, slot);
  }
}

function index(slot: number): number {
  return ((slot % SLOTS) + SLOTS) % SLOTS;
}
