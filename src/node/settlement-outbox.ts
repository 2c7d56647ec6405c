import type { SettledMessage } from '../link/index.ts';

export interface SettlementOutboxOptions {
  /** Settlements kept at most, of each kind; the oldest goes first. */
  readonly max: number;
  /** How long the end of an attempt may still be on its way when the link breaks. */
  readonly unsureMs: number;
  /** False when the message could not be sent now. */
  readonly send: (message: SettledMessage) => boolean;
  /** A settlement was dropped before the gateway acknowledged it. */
  readonly onDropped: (message: SettledMessage) => void;
}

interface EndedAttempt {
  readonly stream: number;
  readonly endedAtMs: number;
  readonly message: SettledMessage;
}

/**
 * The counts of attempts for one gateway. Those that no end frame could carry are kept, and sent again after a
 * reconnect, until the gateway acknowledges them. Those that an end frame did carry are remembered for a while: a
 * cancel that crossed the end, or a link that broke after it, means that the gateway has not seen it.
 */
export class SettlementOutbox {
  readonly #options: SettlementOutboxOptions;
  readonly #pending = new Map<string, SettledMessage>();
  readonly #ended = new Map<number, EndedAttempt>();

  constructor(options: SettlementOutboxOptions) {
    this.#options = options;
  }

  /** Settlements not acknowledged yet. */
  get pending(): number {
    return this.#pending.size;
  }

  add(message: SettledMessage): void {
    this.#pending.set(message.attempt, message);
    const oldest = this.#pending.size > this.#options.max ? this.#pending.values().next().value : undefined;
    if (oldest !== undefined) {
      this.#pending.delete(oldest.attempt);
      this.#options.onDropped(oldest);
    }
    this.#options.send(message);
  }

  acknowledged(attempt: string): void {
    this.#pending.delete(attempt);
  }

  /** The link stands again. */
  resend(): void {
    for (const message of this.#pending.values()) this.#options.send(message);
  }

  /** An attempt's settlement left in the last frame of its stream. */
  sentWithEnd(stream: number, message: SettledMessage, now: number): void {
    this.#ended.set(stream, { stream, endedAtMs: now, message });
    for (const ended of this.#ended.values()) {
      if (this.#ended.size <= this.#options.max && now - ended.endedAtMs <= this.#options.unsureMs) return;
      this.#ended.delete(ended.stream);
    }
  }

  /** The gateway cancelled a stream after its end had left: it drops that end, and gets the count this way. */
  cancelledLate(stream: number): void {
    const ended = this.#ended.get(stream);
    if (ended === undefined) return;
    this.#ended.delete(stream);
    this.add(ended.message);
  }

  /** The link broke: ends sent lately may not have arrived. */
  lost(now: number): void {
    const unsure = [...this.#ended.values()].filter((ended) => now - ended.endedAtMs <= this.#options.unsureMs);
    this.#ended.clear();
    for (const ended of unsure) this.add(ended.message);
  }
}
