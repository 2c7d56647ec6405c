import type { Cancel, Clock } from '../core/index.ts';

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly pingMs: number;
  /** Silence after which the peer counts as gone. */
  readonly deadMs: number;
}

/** Pings a peer, measures the round trip, and tells when the peer has been silent too long. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #stop: Cancel;
  #sentId = 0;
  #sentAtMs = 0;
  #isAwaited = false;
  #heardAtMs: number;
  #beatAtMs: number;

  constructor(options: HeartbeatOptions, send: (id: number) => void, onDead: () => void) {
    this.#options = options;
    this.#heardAtMs = options.clock.now();
    this.#beatAtMs = this.#heardAtMs;
    this.#stop = options.clock.every(options.pingMs, () => this.#beat(send, onDead));
    this.#ping(send);
  }

  /** Anything at all came from the peer. */
  heard(): void {
    this.#heardAtMs = this.#options.clock.now();
  }

  /** The round trip of the ping that `id` answers, in milliseconds; null for a stale one. */
  pong(id: number): number | null {
    if (!this.#isAwaited || id !== this.#sentId) return null;
    this.#isAwaited = false;
    return this.#options.clock.now() - this.#sentAtMs;
  }

  stop(): void {
    this.#stop();
  }

  #beat(send: (id: number) => void, onDead: () => void): void {
    const { clock, pingMs, deadMs } = this.#options;
    const now = clock.now();
    const wasHeldUp = now - this.#beatAtMs > 2 * pingMs;
    this.#beatAtMs = now;
    // A process that was itself held up has not read what the peer may have sent meanwhile.
    if (wasHeldUp) this.#heardAtMs = now;
    if (now - this.#heardAtMs > deadMs) return onDead();
    if (!this.#isAwaited) this.#ping(send);
  }

  #ping(send: (id: number) => void): void {
    this.#sentId += 1;
    this.#sentAtMs = this.#options.clock.now();
    this.#isAwaited = true;
    send(this.#sentId);
  }
}
