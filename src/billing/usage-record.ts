import type { Usage } from '../openai/index.ts';
import type { RequestPrice } from './prices/charge.ts';

/**
 * How a request or an attempt ended. `aborted`: the client left, or the gateway gave the attempt up.
 * `interrupted`: the gateway itself stopped while it ran.
 */
export type Outcome = 'completed' | 'aborted' | 'failed' | 'interrupted';

/** Who counted: the engine's final report, the node's running count, the gateway's count of frames, or nobody. */
export type UsageSource = 'engine' | 'node' | 'gateway' | 'none';

export type Endpoint = 'chat.completions' | 'completions' | 'embeddings';

/** What is known of a request when it is dispatched. */
export interface OpenRequest {
  readonly requestId: string;
  /** Wall time of admission, milliseconds since the epoch: the instant by which it is priced. */
  readonly admittedAtMs: number;
  readonly organization: string;
  readonly project: string;
  readonly keyId: string;
  readonly model: string;
  readonly endpoint: Endpoint;
  readonly streamed: boolean;
  /** By what it is charged; null for a model that costs nothing. */
  readonly price: RequestPrice | null;
  readonly attempts: readonly AttemptProgress[];
}

/** What one request came to: one per request, written once, never changed. */
export interface UsageRecord extends Omit<OpenRequest, 'attempts'> {
  readonly outcome: Outcome;
  /** HTTP status the client got; 0 when the gateway stopped before it could know. */
  readonly status: number;
  readonly errorCode: string | null;
  /** What the customer pays for. */
  readonly usage: Usage;
  readonly source: UsageSource;
  /** True when `usage` is no exact count. */
  readonly estimated: boolean;
  /** The attempt whose count `usage` is; null when nothing is charged, or an answer in two parts. */
  readonly chargedAttempt: string | null;
  /** Milliseconds from admission to the first token; null when none came. */
  readonly ttftMs: number | null;
  readonly durationMs: number;
  readonly attempts: readonly AttemptRecord[];
}

/** What one try on one replica came to: the operator's cost, whoever pays. */
export interface AttemptRecord {
  readonly id: string;
  readonly replica: string;
  readonly region: string;
  /** Milliseconds since admission. */
  readonly startedMs: number;
  /** Tokens of the answer that were there when it went on with it; 0 for one that began it. */
  readonly resumedTokens: number;
  readonly outcome: Outcome;
  readonly errorCode: string | null;
  /** Null when nobody counted. An explicit zero is a count. */
  readonly usage: Usage | null;
  readonly source: UsageSource;
  /** The node's own running count, beside `usage`, so that the two can be held against each other. */
  readonly counted: Usage | null;
  /** What the balancer expected the time to first token to be. */
  readonly predictedMs: number | null;
  readonly ttftMs: number | null;
  readonly durationMs: number;
}

/** An attempt under way. */
export interface RunningAttempt {
  readonly outcome: 'running';
  readonly id: string;
  readonly replica: string;
  readonly region: string;
  readonly startedMs: number;
  readonly resumedTokens: number;
  readonly predictedMs: number | null;
  readonly ttftMs: number | null;
  /** The gateway's estimate of what it has made so far. */
  readonly usage: Usage | null;
}

export type AttemptProgress = AttemptRecord | RunningAttempt;

/** How far an open request has come; if the gateway dies, the request is settled by its last one. */
export interface Checkpoint {
  readonly requestId: string;
  /** Milliseconds since admission. */
  readonly elapsedMs: number;
  readonly ttftMs: number | null;
  /** The gateway's estimate of what the customer has got so far. */
  readonly usage: Usage;
  readonly attempts: readonly AttemptProgress[];
}

/** What a node reports of an attempt after its request was settled. */
export interface LateSettlement {
  readonly attemptId: string;
  readonly outcome: Outcome;
  /** Exact. */
  readonly usage: Usage;
}

/** A late settlement as the journal keeps it: beside the record, which stays as it is. */
export interface Adjustment extends LateSettlement {
  /** Wall time, milliseconds since the epoch. */
  readonly recordedAtMs: number;
}

/** The request of an attempt: its id without the attempt's number. */
export function requestOfAttempt(attemptId: string): string {
  return attemptId.slice(0, attemptId.lastIndexOf('-'));
}
