/** One page of the prefix tree. */
interface Page {
  readonly key: number;
  /** Requests that use it now; only a page with none may be evicted. */
  locks: number;
  newer: Page | null;
  older: Page | null;
}

/** Hears which pages others can share, and which no more; as engines publish their KV events. */
export interface KvCacheEvents {
  readonly stored: (key: number) => void;
  readonly evicted: (key: number) => void;
}

const NO_EVENTS: KvCacheEvents = { stored() {}, evicted() {} };

/** The pages one request holds: locked pages of the tree, in order from the root, and pages of its own. */
export interface KvLease {
  readonly pages: Page[];
  privatePages: number;
}

/**
 * A paged KV cache with prefix sharing. A page's key is the chained hash of all tokens up to its end (and of the cache
 * salt), so the keys of a prompt are a path in a radix tree of whole pages, and a map is enough to hold the tree.
 * Pages in use are locked; the rest wait in one list by last use and are evicted from its old end. Paths are put back
 * leaf first, so the old end is always a leaf.
 */
export class KvCache {
  readonly capacityPages: number;
  readonly #events: KvCacheEvents;
  readonly #tree = new Map<number, Page>();
  #privatePages = 0;
  #evictablePages = 0;
  #newest: Page | null = null;
  #oldest: Page | null = null;

  constructor(capacityPages: number, events: KvCacheEvents = NO_EVENTS) {
    this.capacityPages = capacityPages;
    this.#events = events;
  }

  /** Pages that hold something: locked, evictable or private to a request. Never above the capacity. */
  get usedPages(): number {
    return this.#tree.size + this.#privatePages;
  }

  get evictablePages(): number {
    return this.#evictablePages;
  }

  /** How many of the first `limit` pages of `keys` are cached. */
  match(keys: readonly number[], limit: number): number {
    const end = Math.min(keys.length, limit);
    let matched = 0;
    while (matched < end && this.#tree.has(keys[matched] ?? -1)) matched += 1;
    return matched;
  }

  /**
   * Room for `totalPages`, of which the first may be shared: at most `shareLimit` pages of `keys`. Evicts what it must;
   * null, and nothing changed but recency, when the room is not there.
   */
  lease(keys: readonly number[], shareLimit: number, totalPages: number): KvLease | null {
    const lease: KvLease = { pages: [], privatePages: 0 };
    const matched = this.match(keys, shareLimit);
    for (let i = 0; i < matched; i += 1) this.#share(lease, keys[i] ?? -1);
    const needed = totalPages - matched;
    if (this.capacityPages - this.usedPages + this.#evictablePages < needed) {
      this.release(lease);
      return null;
    }
    while (this.capacityPages - this.usedPages < needed) this.#evictOldest();
    lease.privatePages = needed;
    this.#privatePages += needed;
    return lease;
  }

  /** Publishes the lease's own pages up to `keys.length`, so that others can share them. */
  publish(lease: KvLease, keys: readonly number[], end: number): void {
    for (let i = lease.pages.length; i < end && lease.privatePages > 0; i += 1) {
      lease.privatePages -= 1;
      this.#privatePages -= 1;
      this.#share(lease, keys[i] ?? -1);
    }
  }

  /** Ends a lease: its own pages are free, the shared ones stay cached until room is needed. */
  release(lease: KvLease): void {
    this.#privatePages -= lease.privatePages;
    lease.privatePages = 0;
    for (let i = lease.pages.length - 1; i >= 0; i -= 1) {
      const page = lease.pages[i];
      if (page === undefined) continue;
      page.locks -= 1;
      if (page.locks === 0) this.#pushNewest(page);
    }
    lease.pages.length = 0;
  }

  /** Forgets every page that nobody uses. */
  clear(): void {
    while (this.#oldest !== null) this.#evictOldest();
  }

  #share(lease: KvLease, key: number): void {
    let page = this.#tree.get(key);
    if (page === undefined) {
      page = { key, locks: 0, newer: null, older: null };
      this.#tree.set(key, page);
      this.#events.stored(key);
    } else if (page.locks === 0) {
      this.#unlink(page);
    }
    page.locks += 1;
    lease.pages.push(page);
  }

  #pushNewest(page: Page): void {
    page.older = this.#newest;
    page.newer = null;
    if (this.#newest === null) this.#oldest = page;
    else this.#newest.newer = page;
    this.#newest = page;
    this.#evictablePages += 1;
  }

  #unlink(page: Page): void {
    if (page.newer === null) this.#newest = page.older;
    else page.newer.older = page.older;
    if (page.older === null) this.#oldest = page.newer;
    else page.older.newer = page.newer;
    page.newer = null;
    page.older = null;
    this.#evictablePages -= 1;
  }

  #evictOldest(): void {
    const page = this.#oldest;
    if (page === null) return;
    this.#unlink(page);
    this.#tree.delete(page.key);
    this.#events.evicted(page.key);
  }
}
