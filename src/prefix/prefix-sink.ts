/** Whoever keeps what the caches of replicas hold. Blocks come as two words (low, high) each. */
export interface PrefixSink {
  stored(replica: string, words: Uint32Array): void;
  evicted(replica: string, words: Uint32Array): void;
  /** Nothing is known of its cache any more. */
  clear(replica: string): void;
  /** The replica is gone. */
  remove(replica: string): void;
}
