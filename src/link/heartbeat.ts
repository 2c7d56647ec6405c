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
  readonly #send: (id: number) => void;
  #passed: { readonly id: number; readonly resolve: () => void }[] = [];

  constructor(options: HeartbeatOptions, send: (id: number) => void, onDead: () => void) {
    this.#options = options;
    this.#send = send;
    this.#heardAtMs = options.clock.now();
    this.#beatAtMs = this.#heardAtMs;
    this.#stop = options.clock.every(options.pingMs, () => this.#beat(onDead));
    this.#ping();
  }

  /** Anything at all came from the peer. */
  heard(): void {
    this.#heardAtMs = this.#options.clock.now();
  }

  /** The round trip of the ping that `id` answers, in milliseconds; null for a stale one. */
  pong(id: number): number | null {
    this.#pass(id);
    if (!this.#isAwaited || id !== this.#sentId) return null;
    this.#isAwaited = false;
    return this.#options.clock.now() - this.#sentAtMs;
  }

  /** Resolves once the peer has taken all that was sent to it before, and what it sent until then has come; or when this stops. */
  roundTrip(): Promise<void> {
    this.#ping();
    return new Promise((resolve) => this.#passed.push({ id: this.#sentId, resolve }));
  }

  stop(): void {
    this.#stop();
    this.#pass(Infinity);
  }

  #pass(id: number): void {
    const passed = this.#passed.filter((one) => one.id <= id);
    this.#passed = this.#passed.filter((one) => one.id > id);
    for (const { resolve } of passed) resolve();
  }

  #beat(onDead: () => void): void {
    const { clock, pingMs, deadMs } = this.#options;
    const now = clock.now();
    const wasHeldUp = now - this.#beatAtMs > 2 * pingMs;
    this.#beatAtMs = now;
    // A process that was itself held up has not read what the peer may have sent meanwhile.
    if (wasHeldUp) this.#heardAtMs = now;
    if (now - this.#heardAtMs > deadMs) return onDead();
    if (!this.#isAwaited) this.#ping();
  }

  #ping(): void {
    this.#sentId += 1;
    this.#sentAtMs = this.#options.clock.now();
    this.#isAwaited = true;
    this.#send(this.#sentId);
  }
}
