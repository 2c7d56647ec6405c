import type { Cancel } from '../core/index.ts';
import { Canary } from '../engine/index.ts';
import type { StateMessage } from '../link/index.ts';

const LOOK_MS = 1_000;

interface EngineSenseDeps {
  readonly canary: ConstructorParameters<typeof Canary>[0];
  /** Attempts that run while no byte comes from the engine for so long make it suspect. */
  readonly silentMs: number;
  readonly inFlight: () => number;
}

/**
 * Whether an engine that answers also makes sense, and still makes anything: its scheduler may be dead behind a health endpoint
 * that answers. A long prefill looks the same for a while, so silence is a reason to send a canary, and no proof.
 */
export class EngineSense {
  readonly #canary: Canary;
  readonly #clock: EngineSenseDeps['canary']['clock'];
  readonly #stop: Cancel;
  /** Since when attempts run and no byte has come. */
  #silentSinceMs: number;

  constructor({ canary, silentMs, inFlight }: EngineSenseDeps, onChange: () => void) {
    this.#clock = canary.clock;
    this.#canary = new Canary(canary, onChange);
    this.#silentSinceMs = this.#clock.now();
    this.#stop = this.#clock.every(LOOK_MS, () => {
      if (inFlight() === 0) this.progressed();
      else if (this.#clock.now() - this.#silentSinceMs > silentMs) this.#canary.suspect();
    });
  }

  /** The engine has begun to answer. */
  began(): void {
    this.#canary.start();
  }

  /** It answers no more. */
  ended(): void {
    this.#canary.stop();
  }

  /** Bytes of an answer came. */
  progressed(): void {
    this.#silentSinceMs = this.#clock.now();
  }

  /** What speaks against the engine; null when nothing does. */
  doubt(): StateMessage | null {
    const { verdict } = this.#canary;
    if (verdict.kind === 'untried') return { type: 'state', state: 'warming', reason: 'its canary has not come back yet' };
    return verdict.kind === 'failed' ? { type: 'state', state: 'unhealthy', reason: verdict.reason } : null;
  }

  stop(): void {
    this.#stop();
    this.#canary.stop();
  }
}
