import { StreamCheck } from './answer-check.ts';
import { LoadConnection } from './load-connection.ts';
import type { Target } from './load-job.ts';
import { requestText } from './load-requests.ts';

/** Connections opened at the same time while the number of held streams grows. */
const OPEN_AT_ONCE = 32;

/** Streams that have had their first token and now lie idle. */
export class HeldStreams {
  #connections: LoadConnection[] = [];

  /** Opens more streams until `count` are held; fails when one is refused or ends. */
  async growTo(count: number, targets: readonly Target[]): Promise<void> {
    while (this.#connections.length < count) {
      const missing = Math.min(OPEN_AT_ONCE, count - this.#connections.length);
      await Promise.all(Array.from({ length: missing }, () => this.#open(targets)));
    }
  }

  releaseAll(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections = [];
  }

  #open(targets: readonly Target[]): Promise<void> {
    const target = targets[this.#connections.length % targets.length];
    if (target === undefined) throw new Error('There is no target to send to.');
    const connection = new LoadConnection(target);
    this.#connections.push(connection);
    return new Promise((resolve, reject) => {
      connection.send(
        requestText(target, 'stream'),
        new StreamCheck(false),
        (outcome) => reject(new Error(`A stream that should lie idle ended: ${outcome.fault ?? 'whole'}`)),
        resolve,
      );
    });
  }
}
