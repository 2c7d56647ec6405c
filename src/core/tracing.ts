/**
 * Tracing, as the gateway sees it: one span per request and one per attempt in it. Nothing of a prompt or an answer goes
 * in. A `UsageRecord` has what `end` asks for, and each of its attempts what `attempt` asks for.
 */
export interface Tracing {
  /** The request's trace goes on from the client's `traceparent`, if its headers have one. */
  startRequest(start: TracedStart): RequestSpan;
}

export interface RequestSpan {
  /** An attempt that has ended. */
  attempt(attempt: TracedAttempt): void;
  /** The request has ended; its last call. */
  end(end: TracedEnd): void;
}

export interface TracedStart {
  readonly endpoint: 'chat.completions' | 'completions' | 'embeddings';
  readonly model: string;
  readonly requestId: string;
  /** Milliseconds since the epoch; all that follows is counted from it. */
  readonly admittedAtMs: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export interface TracedAttempt {
  readonly id: string;
  readonly replica: string;
  readonly region: string;
  /** Milliseconds since the request was admitted. */
  readonly startedMs: number;
  readonly durationMs: number;
  /** Tokens of the answer that were there when it went on with it; 0 for one that began it. */
  readonly resumedTokens: number;
  /** Milliseconds from the attempt's start to its first token; null when none came. */
  readonly ttftMs: number | null;
  /** What the balancer expected `ttftMs` to be; null when it had no idea. */
  readonly predictedMs: number | null;
  readonly outcome: TracedOutcome;
  readonly errorCode: string | null;
  readonly usage: TracedUsage | null;
}

export interface TracedEnd {
  readonly durationMs: number;
  readonly ttftMs: number | null;
  readonly outcome: TracedOutcome;
  /** HTTP status the client got. */
  readonly status: number;
  readonly errorCode: string | null;
  readonly usage: TracedUsage;
  /** The answer's own id and reasons, where they are known: most answers pass unread. */
  readonly responseId?: string;
  readonly finishReasons?: readonly string[];
}

export type TracedOutcome = 'completed' | 'aborted' | 'failed' | 'interrupted';

export interface TracedUsage {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
}

const noSpan: RequestSpan = { attempt() {}, end() {} };

export const noTracing: Tracing = { startRequest: () => noSpan };
