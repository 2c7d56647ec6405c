import type { EligibleOptions } from '../health/index.ts';

/** A model that clients may ask for. */
export interface ModelOptions {
  readonly contextTokens: number;
  readonly outputTokensMax: number;
  /** The engines' name for it, when it is another. */
  readonly servedAs: string | null;
  /** It costs nothing, and needs no price. */
  readonly isFree: boolean;
}

/** Every bound and wait of the way of a request; all durations in milliseconds. */
export interface GatewayOptions {
  readonly limits: {
    readonly bodyBytesMax: number;
    readonly headerBytesMax: number;
    readonly jsonDepthMax: number;
    readonly answerBytesMax: number;
    readonly streamBufferBytesMax: number;
    readonly inFlightPerAddressMax: number;
    readonly idempotentAnswerBytesMax: number;
  };
  readonly timeouts: {
    readonly connectMs: number;
    readonly stallMs: number;
    readonly totalMs: number;
    readonly slowReaderMs: number;
    readonly receiveMs: number;
    /** Silence after which a committed answer shows a sign of life. */
    readonly keepAliveMs: number;
    /** Wait for the first token after which a 200 is committed, so that clients do not give up. */
    readonly earlyHeadMs: number;
    /** Wait for the node's exact count of an attempt that was cut. */
    readonly settlementMs: number;
  };
  readonly retries: { readonly attemptsMax: number; readonly jitterMinMs: number; readonly jitterMaxMs: number };
  readonly health: EligibleOptions;
  /** Name the replica and its region on answers. */
  readonly exposeReplica: boolean;
  /** Which requests get a line in the log. */
  readonly logRequests: 'errors' | 'all' | 'none';
}
