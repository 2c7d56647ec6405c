import type { Candidate } from '../balancer/index.ts';
import type { AttemptRecord } from '../billing/index.ts';
import type { AttemptPermit, AttemptVerdict, Replica } from '../health/index.ts';
import type { AttemptStream } from './attempt-stream.ts';
import type { AttemptCount } from './attempt-count.ts';

/** One attempt under way. It ends exactly once, in a record. */
export class OpenAttempt {
  readonly id: string;
  readonly candidate: Candidate;
  readonly replica: Replica;
  readonly stream: AttemptStream;
  readonly startedMs: number;
  readonly #permit: AttemptPermit;
  readonly #dispatch: number;
  #firstMs: number | null = null;

  constructor(
    start: { readonly id: string; readonly candidate: Candidate; readonly replica: Replica; readonly stream: AttemptStream },
    permit: AttemptPermit,
    dispatch: number,
    now: number,
  ) {
    this.id = start.id;
    this.candidate = start.candidate;
    this.replica = start.replica;
    this.stream = start.stream;
    this.startedMs = now;
    this.#permit = permit;
    this.#dispatch = dispatch;
  }

  /** Milliseconds to the first token; null before it. */
  get ttftMs(): number | null {
    return this.#firstMs === null ? null : this.#firstMs - this.startedMs;
  }

  /** The first token is here: the prompt waits no more. */
  firstToken(now: number): void {
    this.#firstMs = now;
    this.#permit.progressed();
    this.replica.log.done(this.#dispatch);
  }

  /** Ends the attempt. `requestStartedMs` places it within its request. */
  end(
    how: { readonly outcome: AttemptRecord['outcome']; readonly errorCode: string | null; readonly verdict: AttemptVerdict },
    count: AttemptCount,
    requestStartedMs: number,
    now: number,
  ): AttemptRecord {
    this.#permit.end(how.verdict, now);
    this.replica.log.done(this.#dispatch);
    return {
      id: this.id,
      replica: this.replica.identity.id,
      region: this.replica.identity.region,
      startedMs: this.startedMs - requestStartedMs,
      outcome: how.outcome,
      errorCode: how.errorCode,
      usage: count.usage,
      source: count.source,
      counted: count.counted,
      predictedMs: this.candidate.costMs,
      ttftMs: this.ttftMs,
      durationMs: now - this.startedMs,
    };
  }
}
