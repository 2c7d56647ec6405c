import { PRIORITIES, type Priority } from '../core/index.ts';
import { ServiceShares, weightedTokens, type TokenCost } from './service-shares.ts';

export interface FairQueueOptions {
  /** Requests that may wait, in all. */
  readonly waitingMax: number;
  /** Requests that are offered a place in vain in one go. */
  readonly triesMax: number;
}

/** What a request asks for; tokens as estimated. */
export interface FairRequest<T> extends TokenCost {
  readonly item: T;
  readonly organization: string;
  readonly priority: Priority;
  /** Monotonic time at which waiting is over. */
  readonly deadlineMs: number;
}

/** One organisation's requests that wait, by class, oldest first. */
interface Line<T> {
  readonly organization: string;
  readonly classes: readonly [FairRequest<T>[], FairRequest<T>[], FairRequest<T>[]];
  length: number;
}

const RETRY_AFTER_MS = { min: 1_000, max: 60_000 };

/**
 * The requests for one model that wait for room. Of a class, the organisation that was served least lately goes first, and in
 * it the request that came first. Sans-io: time comes in as `now`.
 */
export class FairQueue<T> {
  readonly shares = new ServiceShares();
  #options: FairQueueOptions;
  /** Only of organisations that have something waiting. */
  readonly #lines = new Map<string, Line<T>>();
  #length = 0;

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  reconfigure(options: FairQueueOptions): void {
    this.#options = options;
  }

  get length(): number {
    return this.#length;
  }

  waitingOf(organization: string): number {
    return this.#lines.get(organization)?.length ?? 0;
  }

  /**
   * Lets a request wait. When the queue is full, the newest request of the organisation with most waiting must go instead, so
   * that one that floods keeps nobody out: it is returned, and may be the newcomer itself.
   */
  enter(request: FairRequest<T>, now: number): FairRequest<T> | null {
    const line = this.#lineOf(request.organization, now);
    line.classes[classOf(request.priority)].push(request);
    line.length += 1;
    this.#length += 1;
    if (this.#length <= this.#options.waitingMax) return null;
    const dropped = newestOf([...this.#lines.values()].reduce((most, one) => (one.length > most.length ? one : most), line));
    this.remove(dropped);
    return dropped;
  }

  /** Takes a request out: its client left. False when it waits no more. */
  remove(request: FairRequest<T>): boolean {
    const line = this.#lines.get(request.organization);
    const waiting = line?.classes[classOf(request.priority)];
    const at = waiting?.indexOf(request) ?? -1;
    if (line === undefined || waiting === undefined || at < 0) return false;
    waiting.splice(at, 1);
    line.length -= 1;
    if (line.length === 0) this.#lines.delete(line.organization);
    this.#length -= 1;
    return true;
  }

  /**
   * Offers waiting requests in fair order; `place` says whether one was placed. Ends after `placedMax` were, or when too many
   * in a row were not: an organisation whose first request cannot go now (its regions are full, say) keeps nobody waiting.
   */
  pump(now: number, place: (request: FairRequest<T>) => boolean, placedMax = Infinity): number {
    let placed = 0;
    while (placed < placedMax && this.#length > 0) {
      const request = this.#firstThatGoes(now, place);
      if (request === null) break;
      this.remove(request);
      this.shares.add(request.organization, request, now);
      placed += 1;
    }
    return placed;
  }

  /** Takes out and returns those whose deadline has passed. */
  expire(now: number): FairRequest<T>[] {
    const late = [...this.#lines.values()].flatMap(({ classes }) => classes.flatMap((waiting) => waiting.filter(({ deadlineMs }) => deadlineMs <= now)));
    for (const request of late) this.remove(request);
    return late;
  }

  /**
   * When a request of this organisation and class would be placed if it came again: what would be ahead of it, at the rate at
   * which tokens were served lately.
   */
  retryAfterMs(organization: string, priority: Priority, now: number): number {
    const ratePerMs = this.shares.ratePerS(now) / 1_000;
    const waitMs = ratePerMs === 0 ? RETRY_AFTER_MS.min : this.#aheadTokens(organization, priority, now) / ratePerMs;
    return Math.min(RETRY_AFTER_MS.max, Math.max(RETRY_AFTER_MS.min, Math.round(waitMs)));
  }

  #firstThatGoes(now: number, place: (request: FairRequest<T>) => boolean): FairRequest<T> | null {
    let tries = 0;
    for (const rank of [0, 1, 2] as const) {
      for (const { classes } of this.#inOrder(rank, now)) {
        const request = classes[rank][0];
        if (request === undefined || tries >= this.#options.triesMax) return null;
        tries += 1;
        if (place(request)) return request;
      }
    }
    return null;
  }

  /** Lines that have requests of the class, the one that was served least first. */
  #inOrder(rank: 0 | 1 | 2, now: number): Line<T>[] {
    const lines = [...this.#lines.values()].filter(({ classes }) => classes[rank].length > 0);
    if (lines.length < 2) return lines;
    return lines
      .map((line) => ({ line, served: this.shares.of(line.organization, now) }))
      .sort((a, b) => a.served - b.served)
      .map(({ line }) => line);
  }

  /** The organisation's line; one that begins starts no lower than those that wait. */
  #lineOf(organization: string, now: number): Line<T> {
    const known = this.#lines.get(organization);
    if (known !== undefined) return known;
    const served = [...this.#lines.keys()].map((other) => this.shares.of(other, now));
    if (served.length > 0) this.shares.lift(organization, Math.min(...served), now);
    const line: Line<T> = { organization, classes: [[], [], []], length: 0 };
    this.#lines.set(organization, line);
    return line;
  }

  /** Of another organisation, no more is ahead than what brings it to where ours is, and one request. */
  #aheadTokens(organization: string, priority: Priority, now: number): number {
    const served = this.shares.of(organization, now);
    let tokens = 0;
    for (const line of this.#lines.values()) {
      for (const [rank, waiting] of line.classes.entries()) {
        if (rank > classOf(priority)) continue;
        const all = waiting.reduce((sum, request) => sum + weightedTokens(request), 0);
        const isAheadWhole = rank < classOf(priority) || line.organization === organization;
        const behind = Math.max(0, served - this.shares.of(line.organization, now));
        tokens += isAheadWhole ? all : Math.min(all, behind + all / Math.max(1, waiting.length));
      }
    }
    return tokens;
  }
}

function classOf(priority: Priority): 0 | 1 | 2 {
  return PRIORITIES.indexOf(priority) as 0 | 1 | 2;
}

/** The request that came last, of the lowest class. */
function newestOf<T>({ classes }: Line<T>): FairRequest<T> {
  for (const waiting of classes.toReversed()) {
    const last = waiting.at(-1);
    if (last !== undefined) return last;
  }
  throw new Error('a line must hold a request');
}
