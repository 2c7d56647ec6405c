import type { Clock } from '../core/index.ts';
import type { SettledMessage } from '../link/index.ts';
import type { Settlement } from '../openai/index.ts';

/** A count that a request has taken, and whose node waits to hear that it is on disk. */
interface Taken {
  readonly recorded: Promise<void>;
  readonly resolve: () => void;
}

/** Where nodes' exact counts of attempts that were cut meet the requests that wait for them. */
export class SettlementInbox {
  readonly #clock: Clock;
  readonly #onLate: (settled: SettledMessage) => Promise<void>;
  readonly #awaited = new Map<string, (settlement: Settlement) => void>();
  readonly #taken = new Map<string, Taken>();

  /** `onLate` gets settlements that nobody waits for any more, and resolves when they are durable. */
  constructor(clock: Clock, onLate: (settled: SettledMessage) => Promise<void>) {
    this.#clock = clock;
    this.#onLate = onLate;
  }

  /** Resolves once the count is durable: only then may its node forget it. */
  deliver(settled: SettledMessage): Promise<void> {
    const taken = this.#taken.get(settled.attempt);
    if (taken !== undefined) return taken.recorded;
    const waiter = this.#awaited.get(settled.attempt);
    if (waiter === undefined) return this.#onLate(settled);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#taken.set(settled.attempt, { recorded: promise, resolve });
    waiter(settled.settlement);
    return promise;
  }

  /** The node's settlement of `attempt`, or null when none came within `timeoutMs`. End it with `recorded` or `unrecorded`. */
  wait(attempt: string, timeoutMs: number): Promise<Settlement | null> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(timeoutMs, () => finish(null));
      const finish = (settlement: Settlement | null): void => {
        cancel();
        this.#awaited.delete(attempt);
        resolve(settlement);
      };
      this.#awaited.set(attempt, finish);
    });
  }

  /** The request of `attempt` is on disk, with its count if it took one. */
  recorded(attempt: string): void {
    this.#taken.get(attempt)?.resolve();
    this.#taken.delete(attempt);
  }

  /** The request of `attempt` could not be written: its node keeps the count. */
  unrecorded(attempt: string): void {
    this.#taken.delete(attempt);
  }
}
