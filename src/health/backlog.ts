/** A report that only repeats the one before is taken for new after this long: the engine may be stuck. */
const UNCHANGED_MS_MAX = 2_000;

interface Dispatched {
  readonly mark: number;
  readonly tokens: number;
  readonly atMs: number;
}

/**
 * Uncached prompt tokens that wait at one replica: its newest load report, and what this gateway sent after that report
 * was taken. Dispatches have marks that rise, and a report names the highest one the engine had been given, so no two
 * machines' clocks are compared. Between reports the queue drains at the replica's prefill rate; the first token of a
 * dispatch tells, sooner than the next report, that all before it is done.
 */
export class Backlog {
  /** Own dispatches whose first token has not come, oldest first. */
  #sent: Dispatched[] = [];
  /** The newest evidence: what waited at one instant, own dispatches after a mark not counted. Flat, since every ranking reads it. */
  #tokens = 0;
  #atMs = -Infinity;
  #mark = 0;
  #isKnown = false;
  /** It came from a report, and not from a first token. */
  #isReported = false;

  /** Whether anything was ever reported. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Tokens dispatched, not yet in a report, and not known to be done. */
  get sentSinceTokens(): number {
    let sum = 0;
    for (const sent of this.#sent) if (sent.mark > this.#mark) sum += sent.tokens;
    return sum;
  }

  sent(mark: number, tokens: number, now: number): void {
    this.#sent.push({ mark, tokens, atMs: now });
  }

  /**
   * A report came that was taken at `takenMs` by our clock and knows of all dispatches up to `seenMark`. It is older than that
   * if a dispatch that must have arrived before is not in it.
   */
  reported(tokens: number, seenMark: number, takenMs: number, rttMs: number): void {
    // What a first token told since is newer.
    if (seenMark < this.#mark || takenMs < this.#atMs) return;
    // The same numbers again: no step of the engine has ended since, and what it has done of this one goes on counting.
    if (this.#isReported && seenMark === this.#mark && tokens === this.#tokens && takenMs - this.#atMs < UNCHANGED_MS_MAX) return;
    const unseen = this.#sent.find(({ mark }) => mark > seenMark);
    this.#know(tokens, unseen === undefined ? takenMs : Math.min(takenMs, unseen.atMs + rttMs / 2), seenMark);
    this.#isReported = true;
    this.#forget((sent) => sent.mark <= seenMark);
  }

  /** A report came that nothing is queued, of an engine that does not count tokens: what we sent may be in its prefill, or not be seen as a queue. */
  reportedEmpty(takenMs: number, rttMs: number): void {
    this.reported(0, this.#mark, takenMs, rttMs);
  }

  /** The first token of a dispatch came: engines prefill in order, so nothing that was sent before it waits any more. */
  firstToken(mark: number, now: number, rttMs: number): void {
    if (mark > this.#mark) {
      if (this.#isKnown) this.#know(0, now - rttMs / 2, mark);
      this.#forget((sent) => sent.mark <= mark);
    } else this.#forget((sent) => sent.mark === mark);
  }

  /** A dispatch ended before its first token: it waits no more. */
  gone(mark: number): void {
    this.#forget((sent) => sent.mark === mark);
  }

  /** What waits at `now`, by what is known, the queue draining at `tokensPerMs`. Own dispatches only while nothing is. */
  tokensAt(now: number, tokensPerMs: number): number {
    let tokens = this.#tokens;
    let atMs = this.#atMs;
    for (let i = 0; i < this.#sent.length; i += 1) {
      const sent = this.#sent[i] as Dispatched;
      if (sent.atMs > atMs) {
        tokens = tokens === 0 ? 0 : Math.max(0, tokens - tokensPerMs * (sent.atMs - atMs));
        atMs = sent.atMs;
      }
      tokens += sent.tokens;
    }
    if (tokens === 0 || now <= atMs) return tokens;
    return Math.max(0, tokens - tokensPerMs * (now - atMs));
  }

  /** The engine behind it is another one now: what waited is gone. */
  reset(): void {
    this.#sent = [];
    this.#know(0, -Infinity, 0);
    this.#isKnown = false;
  }

  #know(tokens: number, atMs: number, mark: number): void {
    this.#tokens = tokens;
    this.#atMs = atMs;
    this.#mark = mark;
    this.#isKnown = true;
    this.#isReported = false;
  }

  #forget(isKnown: (sent: Dispatched) => boolean): void {
    if (this.#sent.some(isKnown)) this.#sent = this.#sent.filter((sent) => !isKnown(sent));
  }
}
