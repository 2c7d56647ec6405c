import type { Cancel, Clock } from '../core/index.ts';
import { EngineMirror, type MirrorAccuracy } from '../prefix/index.ts';
import type { LinkSession } from './link-session.ts';

/** Hashes in one message at the most; what is left goes with the next. */
const HASHES_MAX = 8_192;

/** The mirrors of this node's engine, one per rank, and the telling of what changes in them. */
export class PrefixPublisher {
  readonly accuracy: MirrorAccuracy = { predictedTokens: 0, reportedTokens: 0 };
  readonly #ranks: () => number;
  readonly #sessions: () => Iterable<LinkSession>;
  readonly #mirrors = new Map<number, EngineMirror>();
  readonly #stop: Cancel;

  /** Tells all sessions every `prefixMs`, if there is anything to tell. `ranks`: how many the engine has. */
  constructor(clock: Clock, prefixMs: number, ranks: () => number, sessions: () => Iterable<LinkSession>) {
    this.#ranks = ranks;
    this.#sessions = sessions;
    this.#stop = clock.every(prefixMs, () => this.#publish());
  }

  mirrorOf(rank: number): EngineMirror {
    let mirror = this.#mirrors.get(rank);
    if (mirror === undefined) {
      mirror = new EngineMirror(this.accuracy);
      this.#mirrors.set(rank, mirror);
    }
    return mirror;
  }

  /** Blocks in all mirrors. */
  get blocks(): number {
    let blocks = 0;
    for (const { cache } of this.#mirrors.values()) blocks += cache.blocks;
    return blocks;
  }

  /** Everything held, for a gateway that knows nothing, or no longer knows for sure. */
  snapshot(session: LinkSession, rank: number): void {
    const words = this.#mirrors.get(rank)?.cache.words() ?? NO_WORDS;
    for (let at = 0; at === 0 || at < words.length; at += 2 * HASHES_MAX) {
      session.sendPrefix(rank, { isSnapshot: at === 0, stored: words.subarray(at, at + 2 * HASHES_MAX), evicted: NO_WORDS });
    }
  }

  /** Snapshots of all ranks there are. */
  introduce(session: LinkSession): void {
    for (let rank = 0; rank < this.#ranks(); rank += 1) this.snapshot(session, rank);
  }

  /** Another engine, or an emptied one. */
  clear(): void {
    for (const { cache } of this.#mirrors.values()) cache.clear();
    for (const session of this.#sessions()) this.introduce(session);
  }

  close(): void {
    this.#stop();
  }

  #publish(): void {
    for (const [rank, { cache }] of this.#mirrors) {
      if (cache.changes === 0) continue;
      const changes = cache.takeChanges(HASHES_MAX);
      for (const session of this.#sessions()) session.sendPrefix(rank, { isSnapshot: false, ...changes });
    }
  }
}

const NO_WORDS = new Uint32Array(0);
