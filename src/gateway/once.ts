import type { IncomingHttpHeaders } from 'node:http';
import type { ApiKeyRecord } from '../accounts/index.ts';
import type { AnswerStore, StoredAnswer, UsageRecord } from '../billing/index.ts';
import { MeridianError, type Logger } from '../core/index.ts';
import type { ClientReply } from './client-reply.ts';
import type { ReceivedRequest } from './context.ts';
import type { GatewayDeps } from './deps.ts';

/** What the header `Idempotency-Key` asks for: the same key does the same thing once. */
export interface Once {
  /** What the first request with the key was answered: it is answered again, and nothing else is done. */
  readonly answer: StoredAnswer | null;
  /** From here on something is done for the key. */
  dispatched(reply: Pick<ClientReply, 'keep'>): void;
  /** The record is durable; the end of the answer is not sent. */
  settled(record: UsageRecord, reply: Pick<ClientReply, 'kept'>, whole: Buffer | null): void;
  /** At the end, whatever came of it. */
  leave(): void;
}

const NAME = 'idempotency-key';
const FORM = /^[\x21-\x7e]{1,255}$/;
const RETRY_MS = 1_000;

interface OnceDeps extends Pick<GatewayDeps, 'answers' | 'log'> {
  readonly options: { readonly limits: Pick<GatewayDeps['options']['limits'], 'idempotentAnswerBytesMax'> };
}

const NO_KEY: Once = { answer: null, dispatched: () => {}, settled: () => {}, leave: () => {} };

/**
 * Looks the key of a request up, within its project, so that it outlives the rotation of API keys. Throws when the first request
 * with it is under way, was another one, or has no answer that could be given again.
 */
export function once(request: ReceivedRequest, key: Pick<ApiKeyRecord, 'project'>, { answers, options, log }: OnceDeps): Once {
  const name = keyOf(request.headers);
  if (name === null) return NO_KEY;
  const scope = key.project;
  const state = answers.begin(scope, name, [request.endpoint, '\0', request.body], request.id);
  if (state.kind === 'new') return new Keyed(answers, scope, name, options.limits.idempotentAnswerBytesMax, log);
  if (state.kind === 'answered') return { ...NO_KEY, answer: state.answer };
  if (state.kind === 'running') {
    throw new MeridianError('idempotency_key_in_use', { message: `The request ${state.requestId} with this Idempotency-Key is still under way.`, retryAfterMs: RETRY_MS });
  }
  if (state.kind === 'other') throw new MeridianError('idempotency_key_reused');
  throw new MeridianError('idempotency_result_gone', {
    message: `The request ${state.requestId} with this Idempotency-Key is over, and its answer is not kept: it broke off, was too large, or is too long ago. What it made was charged once; use another key to ask again.`,
  });
}

class Keyed implements Once {
  readonly answer = null;
  readonly #answers: AnswerStore;
  readonly #scope: string;
  readonly #key: string;
  readonly #bytesMax: number;
  readonly #log: Logger;
  #state: 'idle' | 'dispatched' | 'over' = 'idle';

  constructor(answers: AnswerStore, scope: string, key: string, bytesMax: number, log: Logger) {
    this.#answers = answers;
    this.#scope = scope;
    this.#key = key;
    this.#bytesMax = bytesMax;
    this.#log = log;
  }

  dispatched(reply: Pick<ClientReply, 'keep'>): void {
    this.#state = 'dispatched';
    reply.keep(this.#bytesMax);
  }

  settled(record: UsageRecord, reply: Pick<ClientReply, 'kept'>, whole: Buffer | null): void {
    this.#state = 'over';
    try {
      this.#note(record, whole ?? reply.kept);
    } catch (error) {
      // The client gets its answer all the same; a repeat finds the key in use, and later without an answer.
      this.#log.error({ request: record.requestId, error: String(error) }, 'an answer could not be kept for its Idempotency-Key');
    }
  }

  #note({ outcome, usage, chargedAttempt, streamed }: UsageRecord, body: Buffer | null): void {
    if (outcome === 'completed' && body !== null && body.length <= this.#bytesMax) {
      this.#answers.answered(this.#scope, this.#key, streamed ? 'text/event-stream' : 'application/json', body);
    } else if (outcome === 'failed' && chargedAttempt === null && usage.promptTokens + usage.completionTokens === 0) {
      // It cost nothing, and no count is to come that would: the key is free for another try.
      this.#answers.forget(this.#scope, this.#key);
    } else {
      this.#answers.gone(this.#scope, this.#key);
    }
  }

  leave(): void {
    if (this.#state === 'over') return;
    if (this.#state === 'dispatched') this.#answers.gone(this.#scope, this.#key);
    else this.#answers.forget(this.#scope, this.#key);
  }
}

function keyOf(headers: IncomingHttpHeaders): string | null {
  const given = headers[NAME];
  if (given === undefined) return null;
  if (typeof given === 'string' && FORM.test(given)) return given;
  throw new MeridianError('invalid_value', { param: NAME, message: "The header 'idempotency-key' must be 1 to 255 visible ASCII characters." });
}
