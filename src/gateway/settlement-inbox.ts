import type { Clock } from '../core/index.ts';
import type { SettledMessage } from '../link/index.ts';
import type { Settlement } from '../openai/index.ts';

/** Where nodes' exact counts of attempts that were cut meet the requests that wait for them. */
export class SettlementInbox {
  readonly #clock: Clock;
  readonly #onLate: (settled: SettledMessage) => void;
  readonly #awaited = new Map<string, (settlement: Settlement) => void>();

  /** `onLate` gets settlements that nobody waits for any more. */
  constructor(clock: Clock, onLate: (settled: SettledMessage) => void) {
    this.#clock = clock;
    this.#onLate = onLate;
  }

  deliver(settled: SettledMessage): void {
    const waiter = this.#awaited.get(settled.attempt);
    if (waiter === undefined) this.#onLate(settled);
    else waiter(settled.settlement);
  }

  /** The node's settlement of `attempt`, or null when none came within `timeoutMs`. */
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
}
