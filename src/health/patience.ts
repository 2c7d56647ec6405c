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
  readonly #options: PatienceOptions;
  readonly #quantiles = new TtftQuantiles();

  constructor(options: PatienceOptions) {
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
  isCalm(model: string, fleet: Pick<Fleet, 'serving'>): boolean {
    return busyShare(model, fleet) <= this.#options.hedge.busyShareMax;
  }
}

/** Requests that run and wait at the replicas of a model, as a share of those that can run. */
function busyShare(model: string, fleet: Pick<Fleet, 'serving'>): number {
  let busy = 0;
  let most = 0;
  for (const { state, identity, load, inFlight } of fleet.serving(model)) {
    if (state !== 'ready' || identity.runningMax === null) continue;
    busy += Math.max(inFlight, load === null ? 0 : load.running + load.queued);
    most += identity.runningMax;
  }
  return most === 0 ? 0 : busy / most;
}
