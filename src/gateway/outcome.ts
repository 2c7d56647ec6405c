import type { MeridianError } from '../core/index.ts';
import type { AttemptError, Settlement } from '../openai/index.ts';
import { failureMeaning } from './attempt-failure.ts';

/** How an answer ended, as the client met it. */
export type AnswerOutcome =
  /** `whole` is the answer in one piece, held back until its usage is durable; null when it was streamed. */
  | { readonly kind: 'completed'; readonly settlement: Settlement | null; readonly whole: WholeAnswer | null }
  /** The client left, or was cut for not reading. */
  | { readonly kind: 'aborted'; readonly settlement: Settlement | null }
  | {
      readonly kind: 'failed';
      readonly error: MeridianError;
      readonly settlement: Settlement | null;
      readonly isRetryable: boolean;
      readonly isReplicaFault: boolean;
      readonly isAfterWork: boolean;
    };

/**
 * How an attempt ended: as its answer did; because another attempt of the same request was sooner; or it broke off after its
 * first byte, and the answer may go on elsewhere.
 */
export type AttemptEnd = AnswerOutcome | { readonly kind: 'superseded' } | (Omit<FailedOutcome, 'kind'> & { readonly kind: 'broken-off' });

export type FailedOutcome = Extract<AnswerOutcome, { kind: 'failed' }>;

export interface WholeAnswer {
  readonly status: number;
  readonly body: Buffer;
}

export function failedOutcome(failure: AttemptError): AnswerOutcome {
  const { settlement } = failure;
  if (failure.kind === 'cancelled') return { kind: 'aborted', settlement };
  return { kind: 'failed', settlement, ...failureMeaning(failure) };
}
