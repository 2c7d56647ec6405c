import { chargeOf, chargeTotal, type OpenRequest, type UsageRecord } from '../../billing/index.ts';
import { chargedUsage } from '../charged-usage.ts';
import type { RequestContext } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';
import type { AnswerOutcome } from '../outcome.ts';

const CLIENT_CLOSED = 499;

/**
 * Writes the request's one usage record. Until it is `durable` neither may the client learn that the answer is whole, nor
 * a node forget its count. The customer is charged for the attempt that answered, or else the last, if it made anything that
 * counts; the others are kept as cost.
 */
export function settle(
  context: RequestContext,
  outcome: AnswerOutcome,
  deps: Pick<GatewayDeps, 'clock' | 'journal' | 'settlements' | 'spending'>,
): { readonly record: UsageRecord; readonly durable: Promise<void> } {
  const record = usageRecord(context, outcome, deps.clock.now());
  context.admission.rate.settle(record.usage.promptTokens + record.usage.completionTokens, deps.clock.now());
  const { requestId, admittedAtMs, usage, price } = record;
  deps.spending.settle(context.admission.hold, { requestId, payer: record, admittedAtMs, charge: chargeTotal(chargeOf(usage, price)) });
  return { record, durable: write(record, deps) };
}

async function write(record: UsageRecord, { journal, settlements }: Pick<GatewayDeps, 'journal' | 'settlements'>): Promise<void> {
  try {
    await journal.settle(record);
    for (const { id } of record.attempts) settlements.recorded(id);
  } catch (error) {
    for (const { id } of record.attempts) settlements.unrecorded(id);
    throw error;
  }
}

/** What is known of the request before its first attempt. */
export function openRequest({ request, ask, key, admission }: RequestContext): OpenRequest {
  return {
    requestId: request.id,
    admittedAtMs: request.admittedAtMs,
    organization: key.organization,
    project: key.project,
    keyId: key.id,
    model: ask.model,
    endpoint: request.endpoint,
    streamed: ask.streamed,
    price: admission.price,
    attempts: [],
  };
}

function usageRecord(context: RequestContext, outcome: AnswerOutcome, now: number): UsageRecord {
  const { request, attempts, continued, answeredBy } = context;
  const counting = attempts.find(({ id }) => id === answeredBy) ?? attempts.at(-1);
  const answered = attempts.find(({ ttftMs }) => ttftMs !== null);
  return {
    ...openRequest(context),
    outcome: outcome.kind,
    status: status(context, outcome),
    errorCode: outcome.kind === 'failed' ? outcome.error.code : null,
    ...chargedUsage(counting, continued),
    // An answer in one piece has no first token to wait for.
    ttftMs: !context.ask.streamed || answered?.ttftMs == null ? null : answered.startedMs + answered.ttftMs,
    durationMs: now - request.startedMs,
    attempts,
  };
}

function status({ reply }: RequestContext, outcome: AnswerOutcome): number {
  switch (outcome.kind) {
    case 'completed':
      return outcome.whole?.status ?? 200;
    case 'aborted':
      return CLIENT_CLOSED;
    case 'failed':
      return reply.isCommitted ? 200 : outcome.error.row.status;
  }
}
