import { MeridianError } from '../core/index.ts';
import type { AttemptError } from '../openai/index.ts';
import { RefusedError } from './attempt-stream.ts';

/** What a failed attempt means: for the client if it is the last, for the request, and for the replica's standing. */
export interface FailureMeaning {
  readonly error: MeridianError;
  /** Another replica may do better. */
  readonly isRetryable: boolean;
  /** The failure speaks against the replica. */
  readonly isReplicaFault: boolean;
  /** The engine may have worked on the request: to try again costs that work again. */
  readonly isAfterWork: boolean;
}

/** Statuses by which an engine says that the client's request is at fault. */
const CLIENT_FAULT: ReadonlySet<number> = new Set([400, 413, 422]);

export function failureMeaning(failure: AttemptError): FailureMeaning {
  if (failure instanceof RefusedError) return refusalMeaning(failure);
  switch (failure.kind) {
    case 'cancelled':
      return meaning(new MeridianError('client_closed_request', { cause: failure }), {});
    case 'timeout':
      return meaning(new MeridianError('upstream_timeout', { cause: failure }), { ...REPLICA_FAULT, isAfterWork: true });
    case 'engine':
    case 'unreachable':
    case 'broken':
    case 'empty': {
      const isAfterWork = failure.kind === 'engine' || failure.kind === 'broken';
      const error = new MeridianError('upstream_error', { message: publicMessage(failure), cause: failure });
      return meaning(error, { ...REPLICA_FAULT, isAfterWork });
    }
  }
}

function refusalMeaning(refusal: RefusedError): FailureMeaning {
  if (CLIENT_FAULT.has(refusal.status)) {
    const message = refusal.engineMessage ?? undefined;
    const param = refusal.engineParam ?? undefined;
    const isTooLong = message !== undefined && /context length|maximum context|longer than the model/i.test(message);
    return meaning(new MeridianError(isTooLong ? 'context_length_exceeded' : 'invalid_request', { message, param }), {});
  }
  if (refusal.status === 503 || refusal.status === 429) {
    return meaning(new MeridianError('overloaded', { message: 'Every replica that was tried is full.', cause: refusal }), REPLICA_FAULT);
  }
  return meaning(new MeridianError('upstream_error', { cause: refusal }), { ...REPLICA_FAULT, isAfterWork: refusal.status >= 500 });
}

/** Addresses and causes stay inside. */
function publicMessage(failure: AttemptError): string {
  switch (failure.kind) {
    case 'empty':
      return 'The engine answered without a single token.';
    case 'engine':
      return `The engine reported an error: ${failure.message}`;
    case 'broken':
      return 'The answer broke off before it was whole.';
    default:
      return 'The engine could not be reached.';
  }
}

const REPLICA_FAULT = { isRetryable: true, isReplicaFault: true };

function meaning(error: MeridianError, flags: Partial<Omit<FailureMeaning, 'error'>>): FailureMeaning {
  return { error, isRetryable: false, isReplicaFault: false, isAfterWork: false, ...flags };
}
