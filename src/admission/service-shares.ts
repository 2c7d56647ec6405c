/** Weight of a token of the prompt and of the answer: an answer's costs about twice as much (Sheng et al., OSDI 2024). */
const INPUT_WEIGHT = 1;
const OUTPUT_WEIGHT = 2;
/** Accounts of organisations are kept for this many; those that were served least lately are forgotten first. */
const ACCOUNTS_MAX = 10_000;
const HALF_LIFE_MS = 60_000;
/** Who has less than this left was not served lately, and counts no more among those who were. */
const FADED_TOKENS = 100;
/** Doublings after which all sums are brought down again. */
const DOUBLINGS_MAX = 200;
/** Served more than this many times the mean of those served lately is more than a fair share. */
const OVER_SHARE = 8;

/** Amounts of one request, in tokens. */
export interface TokenCost {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export function weightedTokens({ inputTokens, outputTokens }: TokenCost): number {
  return INPUT_WEIGHT * inputTokens + OUTPUT_WEIGHT * outputTokens;
}

/**
 * What each organisation was served lately: virtual token counters (Sheng et al., OSDI 2024), half forgotten every minute, so
 * that nobody pays for last week. Forgetting is done forwards: later tokens weigh more, and nothing is ever touched but what
 * changes.
 */
export class ServiceShares {
  readonly #counters = new Map<string, number>();
  #total = 0;
  #baseMs: number | null = null;

  /** Weighted tokens of the organisation, as they count at `now`. */
  of(organization: string, now: number): number {
    return (this.#counters.get(organization) ?? 0) / this.#unit(now);
  }

  /** Adds a request's tokens; amounts may be negative, to correct an estimate. */
  add(organization: string, cost: TokenCost, now: number): void {
    const before = this.#counters.get(organization) ?? 0;
    this.#set(organization, Math.max(0, before + weightedTokens(cost) * this.#unit(now)), now);
  }

  /** Lifts the organisation to `counter`, as of `now`, if it is below: silence earns no credit. */
  lift(organization: string, counter: number, now: number): void {
    const least = counter * this.#unit(now);
    if ((this.#counters.get(organization) ?? 0) < least) this.#set(organization, least, now);
  }

  /** Whether it was served well more than an equal share of what all were served lately. */
  isOverShare(organization: string, now: number): boolean {
    const active = this.#counters.size;
    return active > 1 && this.of(organization, now) > (OVER_SHARE * this.#total) / this.#unit(now) / active;
  }

  /** Weighted tokens served per second lately. */
  ratePerS(now: number): number {
    return (this.#total / this.#unit(now)) * (Math.LN2 / HALF_LIFE_MS) * 1_000;
  }

  #set(organization: string, counter: number, now: number): void {
    this.#total += counter - (this.#counters.get(organization) ?? 0);
    this.#counters.delete(organization);
    this.#counters.set(organization, counter);
    // The map is in the order of the last change: the first is the one that was served longest ago.
    const faded = FADED_TOKENS * this.#unit(now);
    for (const [oldest, value] of this.#counters) {
      if (oldest === organization || (value >= faded && this.#counters.size <= ACCOUNTS_MAX)) break;
      this.#counters.delete(oldest);
      this.#total -= value;
    }
  }

  /** What a token of `now` weighs. */
  #unit(now: number): number {
    this.#baseMs ??= now;
    const doublings = (now - this.#baseMs) / HALF_LIFE_MS;
    if (doublings > DOUBLINGS_MAX) this.#rebase(now, 2 ** doublings);
    return 2 ** ((now - this.#baseMs) / HALF_LIFE_MS);
  }

  #rebase(now: number, unit: number): void {
    this.#baseMs = now;
    this.#total = 0;
    for (const [organization, counter] of this.#counters) {
      this.#counters.set(organization, counter / unit);
      this.#total += counter / unit;
    }
  }
}
