/** What became of one request in the engine: exact, whatever its client saw of it. */
export interface AttemptRecord {
  /** Counts from 1 in the order in which requests ended. */
  readonly sequence: number;
  readonly rid: string;
  readonly prompt: number;
  /** Part of `prompt` found in the cache. */
  readonly cached: number;
  /** Part of `prompt` that is in the cache or was prefilled: less than `prompt` when it ended before that. */
  readonly prefilled: number;
  readonly completion: number;
  /** Part of `completion`. */
  readonly reasoning: number;
  readonly outcome: 'finished' | 'aborted' | 'failed';
}

export interface AttemptTotals {
  attempts: number;
  finished: number;
  aborted: number;
  failed: number;
  prompt: number;
  cached: number;
  completion: number;
  reasoning: number;
}

/** The last `capacity` records in a ring, and the sums over all. */
export class AttemptLog {
  readonly #ring: AttemptRecord[] = [];
  readonly #capacity: number;
  #sequence = 0;
  readonly #totals: AttemptTotals = {
    attempts: 0,
    finished: 0,
    aborted: 0,
    failed: 0,
    prompt: 0,
    cached: 0,
    completion: 0,
    reasoning: 0,
  };

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(record: Omit<AttemptRecord, 'sequence'>): void {
    this.#ring[this.#sequence % this.#capacity] = { sequence: this.#sequence + 1, ...record };
    this.#sequence += 1;
    this.#totals.attempts += 1;
    this.#totals[record.outcome] += 1;
    this.#totals.prompt += record.prompt;
    this.#totals.cached += record.cached;
    this.#totals.completion += record.completion;
    this.#totals.reasoning += record.reasoning;
  }

  /** Up to `limit` records after sequence `after`, oldest first; those that fell out of the ring are missing. */
  list(after: number, limit: number): AttemptRecord[] {
    const first = Math.max(after, this.#sequence - this.#capacity, 0);
    const end = Math.min(this.#sequence, first + limit);
    const records: AttemptRecord[] = [];
    for (let i = first; i < end; i += 1) {
      const record = this.#ring[i % this.#capacity];
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  totals(): Readonly<AttemptTotals> {
    return { ...this.#totals };
  }
}
