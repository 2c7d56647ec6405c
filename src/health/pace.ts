import { LinearFit } from './linear-fit.ts';

/** What is assumed of a replica's speed before it has shown it. */
export interface PacePrior {
  readonly prefillTokensPerS: number;
  /** From the end of the work ahead to the first token, beyond the prompt's own prefill. */
  readonly stepMs: number;
  /** Time per output token of a batch of one, and what each further request in the batch adds. */
  readonly tpotMs: number;
  readonly tpotPerRequestMs: number;
}

export const PACE_PRIOR: PacePrior = { prefillTokensPerS: 9_000, stepMs: 40, tpotMs: 18, tpotPerRequestMs: 0.43 };

const MEMORY = 200;
const PRIOR_WEIGHT = 4;
const USUAL_PROMPT_TOKENS = 8_000;
const USUAL_BATCH = 64;
/** An answer this many times later than predicted was held up by something else. */
const OUTLIER = 4;

/** How fast a replica prefills and decodes, learned from what it does. */
export class Pace {
  readonly #prefill: LinearFit;
  readonly #decode: LinearFit;
  #tokensPerMs: number;

  constructor(prior: PacePrior) {
    this.#prefill = new LinearFit(
      { intercept: prior.stepMs, slope: 1_000 / prior.prefillTokensPerS, atX: USUAL_PROMPT_TOKENS, weight: PRIOR_WEIGHT },
      MEMORY,
    );
    this.#tokensPerMs = prior.prefillTokensPerS / 1_000;
    this.#decode = new LinearFit(
      { intercept: prior.tpotMs, slope: prior.tpotPerRequestMs, atX: USUAL_BATCH, weight: PRIOR_WEIGHT },
      MEMORY,
    );
  }

  /** μ: uncached prompt tokens prefilled per millisecond. */
  get prefillTokensPerMs(): number {
    return this.#tokensPerMs;
  }

  /** What a first token takes beyond the prefill of all tokens before it. */
  get stepMs(): number {
    return this.#prefill.intercept;
  }

  /** Expected time per output token with `running` requests in the batch. */
  tpotMs(running: number): number {
    return this.#decode.at(running);
  }

  /**
   * A first token came `tookMs` after the replica got the request, whose own `ownTokens` waited behind `aheadTokens`. What
   * was ahead is an estimate, so the more of it, the less is learned.
   */
  sawFirstToken(ownTokens: number, aheadTokens: number, tookMs: number): void {
    const tokens = ownTokens + aheadTokens;
    const expectedMs = this.#prefill.at(tokens);
    if (tookMs <= 0 || tookMs > expectedMs * OUTLIER) return;
    this.#prefill.add(tokens, tookMs, (ownTokens + 1) / (tokens + 1));
    this.#tokensPerMs = 1 / this.#prefill.slope;
  }

  /** A load report told of `running` requests that decode `tokensPerS` together. */
  sawDecoding(running: number, tokensPerS: number): void {
    if (running <= 0 || tokensPerS <= 0) return;
    const tpotMs = (running * 1_000) / tokensPerS;
    if (tpotMs <= this.#decode.at(running) * OUTLIER) this.#decode.add(running, tpotMs, 0.2);
  }
}
