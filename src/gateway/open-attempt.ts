import type { RoutedAttempt } from '../balancer/index.ts';
import type { AttemptRecord } from '../billing/index.ts';
import type { AttemptPermit, AttemptVerdict, Replica } from '../health/index.ts';
import type { AttemptStream } from './attempt-stream.ts';
import type { AttemptCount } from './attempt-count.ts';

/** One attempt under way. It ends exactly once, in a record. */
export class OpenAttempt {
  readonly id: string;
  readonly replica: Replica;
  readonly stream: AttemptStream;
  readonly startedMs: number;
  /** Tokens of the answer that were there before. */
  readonly resumedTokens: number;
  /** Its end is being written; it may still wait for its count. */
  isClosing = false;
  readonly #routed: RoutedAttempt;
  readonly #permit: AttemptPermit;
  #firstMs: number | null = null;

  constructor(
    start: { readonly id: string; readonly routed: RoutedAttempt; readonly stream: AttemptStream; readonly resumedTokens: number },
    permit: AttemptPermit,
    now: number,
  ) {
    this.id = start.id;
    this.#routed = start.routed;
    this.replica = start.routed.candidate.replica;
    this.stream = start.stream;
    this.resumedTokens = start.resumedTokens;
    this.startedMs = now;
    this.#permit = permit;
  }

  /** Predicted milliseconds to the first token. */
  get predictedMs(): number {
    return this.#routed.candidate.ttftMs;
  }

  /** Milliseconds to the first token; null before it. */
  get ttftMs(): number | null {
    return this.#firstMs === null ? null : this.#firstMs - this.startedMs;
  }

  /** The first token is here, or with it a whole answer that was not streamed. */
  firstToken(now: number, isStreamed: boolean): void {
    this.#firstMs = now;
    this.#permit.progressed(now);
    this.#routed.began(now, isStreamed);
  }

  /** Ends the attempt. `requestStartedMs` places it within its request. */
  end(
    how: { readonly outcome: AttemptRecord['outcome']; readonly errorCode: string | null; readonly verdict: AttemptVerdict },
    count: AttemptCount,
    requestStartedMs: number,
    now: number,
  ): AttemptRecord {
    this.#permit.end(how.verdict, now);
    this.#routed.ended(count.source === 'gateway' ? null : count.usage);
    return {
      id: this.id,
      replica: this.replica.identity.id,
      region: this.replica.identity.region,
      startedMs: this.startedMs - requestStartedMs,
      resumedTokens: this.resumedTokens,
      outcome: how.outcome,
      errorCode: how.errorCode,
      usage: count.usage,
      source: count.source,
      counted: count.counted,
      predictedMs: this.predictedMs,
      ttftMs: this.ttftMs,
      durationMs: now - this.startedMs,
    };
  }
}
