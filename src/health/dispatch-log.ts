/**
 * Prompt tokens sent to a replica that its newest load report cannot know of. Each dispatch has a mark that rises; a
 * report names the highest mark the engine had been given when it was taken. No clocks are compared.
 */
export class DispatchLog {
  #marks: number[] = [];
  #tokens: number[] = [];
  #sum = 0;

  /** Tokens dispatched and not yet in a report. */
  get sentSinceTokens(): number {
    return this.#sum;
  }

  sent(mark: number, tokens: number): void {
    this.#marks.push(mark);
    this.#tokens.push(tokens);
    this.#sum += tokens;
  }

  /** A report came that knows of all dispatches up to `mark`. */
  reported(mark: number): void {
    const first = this.#marks.findIndex((sent) => sent > mark);
    const known = first < 0 ? this.#marks.length : first;
    for (let i = 0; i < known; i += 1) this.#sum -= this.#tokens[i] ?? 0;
    this.#marks.splice(0, known);
    this.#tokens.splice(0, known);
  }

  /** The attempt with `mark` is past its prefill or over: its tokens wait no more. */
  done(mark: number): void {
    const at = this.#marks.indexOf(mark);
    if (at < 0) return;
    this.#sum -= this.#tokens[at] ?? 0;
    this.#marks.splice(at, 1);
    this.#tokens.splice(at, 1);
  }
}
