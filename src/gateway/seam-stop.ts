/**
 * Looks for a stop sequence that lies across a seam: begun in what was delivered, ended in what follows. An engine looks only
 * at what it writes itself. What may still become such a sequence is held back until it is decided.
 */
export class SeamStop {
  readonly #stops: readonly string[];
  /** The end of what was delivered, as long as a sequence may begin in it. */
  readonly #before: string;
  #held = '';
  #isDecided = false;
  #isMatched = false;

  constructor(delivered: string, stops: readonly string[]) {
    const longest = Math.max(...stops.map(({ length }) => length));
    this.#stops = stops;
    this.#before = longest > 1 ? delivered.slice(1 - longest) : '';
    this.#isDecided = this.#before === '';
  }

  get isMatched(): boolean {
    return this.#isMatched;
  }

  /** What of `text` and of what was held back is now known to belong to the answer. */
  pass(text: string): string {
    if (this.#isMatched) return '';
    if (this.#isDecided) return text;
    this.#held += text;
    const state = this.#look();
    if (state === 'open') return '';
    this.#isDecided = true;
    this.#isMatched = state === 'matched';
    return this.#isMatched ? '' : this.release();
  }

  /** What is held back, when nothing more comes. */
  release(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  #look(): 'matched' | 'open' | 'none' {
    const whole = this.#before + this.#held;
    let isOpen = false;
    for (const stop of this.#stops) {
      for (let at = Math.max(0, this.#before.length - stop.length + 1); at < this.#before.length; at += 1) {
        if (whole.startsWith(stop, at)) return 'matched';
        isOpen ||= stop.startsWith(whole.slice(at));
      }
    }
    return isOpen ? 'open' : 'none';
  }
}
