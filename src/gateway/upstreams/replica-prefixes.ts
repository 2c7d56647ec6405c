import type { PrefixEvent } from '../../link/index.ts';
import type { PrefixSink } from '../../prefix/index.ts';

/** Takes one node's cache events for its replicas, and asks for everything anew when one is missing. */
export class ReplicaPrefixes {
  readonly #replicas: readonly string[];
  readonly #sink: PrefixSink;
  readonly #resync: (replica: string) => void;
  /** Next number by replica; absent until a snapshot came. */
  readonly #next = new Map<string, number>();

  /** `replicas` in the order of `hello`; `resync` asks the node for a snapshot. */
  constructor(replicas: readonly string[], sink: PrefixSink, resync: (replica: string) => void) {
    this.#replicas = replicas;
    this.#sink = sink;
    this.#resync = resync;
  }

  take({ replica: index, isSnapshot, seq, stored, evicted }: PrefixEvent): void {
    const replica = this.#replicas[index];
    if (replica === undefined) return;
    const expected = this.#next.get(replica);
    if (isSnapshot) this.#sink.clear(replica);
    else if (expected === undefined) return;
    else if (seq !== expected) {
      this.#next.delete(replica);
      this.#sink.clear(replica);
      return this.#resync(replica);
    }
    this.#next.set(replica, (seq + 1) >>> 0);
    if (evicted.length > 0) this.#sink.evicted(replica, evicted);
    if (stored.length > 0) this.#sink.stored(replica, stored);
  }
}
