import type { UsageRecord } from '../../billing/index.ts';
import type { MeridianError } from '../../core/index.ts';
import type { ReceivedRequest, RequestContext } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';

/** Tells what the request came to: metrics, trace, log, and what the next estimates are made with. */
export function observe(context: RequestContext, record: UsageRecord, deps: GatewayDeps): void {
  const { ask, span, request } = context;
  deps.metrics.settled(record);
  if (record.source === 'engine' || record.source === 'node') {
    deps.tokenRatio.learn(ask.model, ask.prompt.kind, ask.prompt.bytes, record.usage.promptTokens);
    learnOutput(context, record, deps);
  }
  for (const attempt of record.attempts) {
    span.attempt(attempt);
    if (isMiscounted(attempt)) deps.log.warn({ request: record.requestId, attempt: attempt.id }, 'two counts of an attempt differ');
  }
  span.end(record);
  logRequest(record, request, deps);
}

/** What the request was charged with in the fair queue is put right, and the next of its key will be expected like it. */
function learnOutput({ ask, route }: RequestContext, { keyId, organization, outcome, usage }: UsageRecord, deps: GatewayDeps): void {
  if (outcome === 'completed') deps.expectedOutput.learn(keyId, ask.model, usage.completionTokens);
  const difference = { inputTokens: usage.promptTokens - route.promptTokens, outputTokens: usage.completionTokens - route.outputTokens };
  deps.waitingRoom.correct(ask.model, organization, difference);
}

/** A request that ended before an attempt: it used nothing, and has no record. */
export function observeRefusal(request: ReceivedRequest, error: MeridianError, deps: GatewayDeps): void {
  deps.metrics.refused(error.code);
  const fields = { request: request.id, status: error.row.status, code: error.code, ...retries(request) };
  if (error.code === 'internal_error') deps.log.error({ ...fields, error: error.cause }, 'request failed');
  else if (deps.options.logRequests === 'all') deps.log.info(fields, 'request refused');
}

function isMiscounted({ usage, counted }: UsageRecord['attempts'][number]): boolean {
  return usage !== null && counted !== null && usage.completionTokens !== counted.completionTokens;
}

function logRequest(record: UsageRecord, request: ReceivedRequest, { log, options }: GatewayDeps): void {
  const isError = record.outcome === 'failed';
  if (options.logRequests === 'none' || (options.logRequests === 'errors' && !isError)) return;
  const { requestId, keyId, model, endpoint, outcome, status, errorCode, usage, ttftMs, durationMs } = record;
  const replica = record.attempts.at(-1)?.replica;
  const fields = { request: requestId, keyId, model, endpoint, outcome, status, code: errorCode, replica, usage, ttftMs, durationMs };
  log[isError ? 'warn' : 'info']({ ...fields, ...retries(request) }, isError ? 'request failed' : 'request served');
}

/** How often the client's SDK had tried before, when it says so. */
function retries({ headers }: ReceivedRequest): { readonly sdkRetries?: string } {
  const count = headers['x-stainless-retry-count'];
  return typeof count === 'string' && count !== '0' ? { sdkRetries: count.slice(0, 10) } : {};
}
