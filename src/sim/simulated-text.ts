import { MARK, RANGE } from './vocabulary.ts';

/** Mean lengths: a sentence in tokens, an answer and its reasoning in sentences. */
const SENTENCE_ENDS_IN = 10;
const ANSWER_ENDS_IN_SENTENCES = 20;
const REASONING_ENDS_IN_SENTENCES = 6;

/**
 * The simulated language model. Each token is a function of the seed and of all tokens before it, whoever wrote them,
 * so an answer that breaks off and is continued from its own tokens goes on exactly as it would have gone undisturbed.
 * An answer has about 200 tokens and ends after a sentence.
 */
export class SimulatedText {
  #state: number;
  #last = 0;
  #isReasoning = false;

  constructor(seed: number) {
    this.#state = Math.imul(seed | 0, 0x9e3779b1) ^ 0x5bd1e995;
  }

  /** The next token would be part of the reasoning. */
  get isReasoning(): boolean {
    return this.#isReasoning;
  }

  /** Takes a token as written. */
  push(token: number): void {
    const mixed = Math.imul(this.#state ^ token, 0x85ebca6b);
    this.#state = mixed ^ (mixed >>> 14);
    this.#last = token;
    if (token === MARK.thinkStart) this.#isReasoning = true;
    else if (token === MARK.thinkEnd || token === MARK.assistant) this.#isReasoning = false;
  }

  /** The token that comes next; the caller pushes it. `neverEnds` leaves the end mark out. */
  next(neverEnds: boolean): number {
    let draw = finalMix(this.#state);
    const chance = (oneIn: number): boolean => {
      const hit = draw % oneIn === 0;
      draw = finalMix(draw + 0x6d2b79f5);
      return hit;
    };
    const pick = ([first, count]: readonly [number, number]): number => first + (draw % count);

    if (this.#last === RANGE.stop[0]) {
      if (this.#isReasoning && chance(REASONING_ENDS_IN_SENTENCES)) return MARK.thinkEnd;
      if (!this.#isReasoning && chance(ANSWER_ENDS_IN_SENTENCES) && !neverEnds) return MARK.end;
      return chance(12) ? pick(RANGE.line) : pick(RANGE.spacedOpeners);
    }
    if (this.#last < RANGE.inner[0] || this.#last === RANGE.line[0]) return pick(RANGE.openers);
    if (!isWord(this.#last)) return pick(RANGE.inner);
    if (chance(SENTENCE_ENDS_IN)) return pick(RANGE.stop);
    if (chance(16)) return pick(RANGE.comma);
    if (chance(64)) return pick(RANGE.signs);
    return pick(RANGE.inner);
  }
}

function isWord(token: number): boolean {
  return token < RANGE.signs[0];
}

function finalMix(value: number): number {
  let z = value | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
