import type { Fleet } from './fleet.ts';
import { TtftQuantiles } from './ttft-quantiles.ts';

export interface PatienceOptions {
  /** The least time an attempt is given for its first token. */
  readonly firstTokenMs: number;
  /** The same as a multiple of what the slowest hundredth of prompts of its size needs, and of what was predicted. */
  readonly firstTokenFactor: number;
  readonly totalMs: number;
  readonly hedge: {
    /** How late a first token must be, beside others of its size. */
    readonly quantile: number;
    /** None while the replicas of the model run a larger share of what they can. */
    readonly busyShareMax: number;
  };
}

/** First tokens of a size that must be known before they say what is late. */
const KNOWN_MIN = 100;
const SLOWEST = 0.99;

/** How long a first token is waited for: before another replica is asked, too, and before the attempt is given up. */
export class Patience {
  #options: PatienceOptions;
  readonly #quantiles = new TtftQuantiles();

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** Other bounds from now on; what was learned stays. */
  reconfigure(options: PatienceOptions): void {
    this.#options = options;
  }

  saw(promptTokens: number, ttftMs: number): void {
    this.#quantiles.saw(promptTokens, ttftMs);
  }

  /** Milliseconds after which an attempt without a token has failed. Busy is not dead: what was predicted counts as well as what is usual. */
  firstTokenMs(promptTokens: number, predictedMs: number): number {
    const { firstTokenMs, firstTokenFactor, totalMs } = this.#options;
    const usualMs = this.#quantiles.at(promptTokens, SLOWEST, KNOWN_MIN) ?? 0;
    return Math.min(totalMs, Math.max(firstTokenMs, firstTokenFactor * Math.max(usualMs, predictedMs)));
  }

  /** The same for an answer in one piece, whose tokens take `outputMs` at most as far as anybody knows: it shows nothing before it is whole. */
  wholeMs(promptTokens: number, predictedMs: number, outputMs: number): number {
    const { firstTokenFactor, totalMs } = this.#options;
    return Math.min(totalMs, this.firstTokenMs(promptTokens, predictedMs) + firstTokenFactor * outputMs);
  }

  /** Milliseconds after which a second attempt makes sense; null while nobody knows what is late. */
  hedgeAfterMs(promptTokens: number): number | null {
    return this.#quantiles.at(promptTokens, this.#options.hedge.quantile, KNOWN_MIN);
  }

  /** Whether the replicas of a model have so little to do that a second attempt takes nobody's place. */
  isCalm(model: string, fleet: Pick<Fleet, 'serving'>, now: number): boolean {
    return busyShare(model, fleet, now) <= this.#options.hedge.busyShareMax;
  }
}

/**
 * How busy the replicas of a model are, 0 to 1: by what they decode of what they can, or by how many of them prefill at the
 * moment, which is the share of the time in which one does; whichever is more.
 */
function busyShare(model: string, fleet: Pick<Fleet, 'serving'>, now: number): number {
  let decoding = 0;
  let decodingMost = 0;
  let prefilling = 0;
  let ready = 0;
  for (const { state, identity, load, inFlight, backlog, pace } of fleet.serving(model)) {
    if (state !== 'ready') continue;
    ready += 1;
    if (backlog.tokensAt(now, pace.prefillTokensPerMs) > 0) prefilling += 1;
    decoding += Math.max(inFlight, load === null ? 0 : load.running + load.queued);
    decodingMost += identity.runningMax ?? Infinity;
  }
  return ready === 0 ? 0 : Math.max(decoding / decodingMost, prefilling / ready);
}
