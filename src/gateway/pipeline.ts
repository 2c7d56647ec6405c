import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { asMeridianError, type MeridianError } from '../core/index.ts';
import { AttemptError } from '../openai/index.ts';
import { answerHeaders } from './answer-headers.ts';
import { ClientReply } from './client-reply.ts';
import { closeAttempt } from './close-attempt.ts';
import type { Endpoint, ReceivedRequest, RequestContext } from './context.ts';
import type { GatewayDeps } from './deps.ts';
import { once } from './once.ts';
import type { AnswerOutcome } from './outcome.ts';
import { admit } from './stages/admit.ts';
import { attempt } from './stages/attempt.ts';
import { authenticate } from './stages/authenticate.ts';
import { observe, observeRefusal } from './stages/observe.ts';
import { plan, type Plan } from './stages/plan.ts';
import { receive } from './stages/receive.ts';
import { relay } from './stages/relay.ts';
import { resume } from './stages/resume.ts';
import { openRequest, settle } from './stages/settle.ts';
import { validate } from './stages/validate.ts';

/**
 * The way of a request, from its bytes to its record:
 *
 *     receive → authenticate → validate → admit → plan → attempt → relay → settle → observe
 *
 * An answer that breaks off in its relay is resumed elsewhere, once, and relayed on.
 * A stage takes what the ones before it found, and throws a `MeridianError` to end the request. Until an attempt
 * begins to answer, errors have a status of their own; from then on the outcome is a value that settles like any other.
 */
export async function serve(
  endpoint: Endpoint,
  headers: IncomingHttpHeaders,
  body: Buffer,
  response: ServerResponse,
  deps: GatewayDeps,
): Promise<void> {
  const request = receive(endpoint, headers, body, deps.clock);
  const shown = answerHeaders(request, deps);
  const reply = new ClientReply(response, shown.read, request.startedMs);
  try {
    const key = await authenticate(request.headers, response.socket?.remoteAddress, endpoint, deps);
    shown.organization = key.organization;
    const wanted = validate(request, key, deps);
    if (wanted.streamed) reply.becomeStream();
    const keyed = once(request, key, deps);
    if (keyed.answer !== null) return reply.replay(keyed.answer);
    const held = [() => keyed.leave()];
    try {
      const admission = await admit(request, key, wanted, shown, deps);
      const { ask } = admission;
      held.push(() => admission.leave());
      const planned = await plan(ask, key, reply, deps);
      const span = deps.tracing.startRequest({ endpoint, model: ask.model, requestId: request.id, admittedAtMs: request.admittedAtMs, headers });
      const route = deps.routeLog.begin(request.id, ask.model, planned.placement, planned.heldMs);
      const context: RequestContext = { request, key, ask, keyed, admission, reply, span, shown, route, attempts: [], open: new Set(), closing: [], answeredBy: null, delivered: null, continued: null, isWorkLost: false };
      await answer(context, planned, deps);
      // Until then the request is under way: a drain must not cut what the client has not taken yet.
      await reply.taken(deps.options.timeouts.slowReaderMs);
    } finally {
      for (const giveBack of held) giveBack();
    }
  } catch (thrown) {
    refuse(request, reply, asMeridianError(thrown), deps);
  }
}

/** From the first attempt to the record. The client gets the end of the answer only once its usage is durable. */
async function answer(context: RequestContext, planned: Plan, deps: GatewayDeps): Promise<void> {
  const { earlyHeadMs, keepAliveMs } = deps.options.timeouts;
  const unwatch = deps.sweep.add((now) => context.reply.tick(now, { uncommitted: earlyHeadMs, committed: keepAliveMs }));
  const forget = deps.active.add(context);
  deps.journal.open(openRequest(context));
  context.keyed.dispatched(context.reply);
  try {
    const outcome = await outcomeOf(context, planned, deps);
    const { record, durable } = settle(context, outcome, deps);
    const unwritable = await durable.then(() => null, asMeridianError);
    if (unwritable === null) {
      context.keyed.settled(record, context.reply, outcome.kind === 'completed' ? (outcome.whole?.body ?? null) : null);
      finish(context, outcome);
    } else {
      context.reply.fail(unwritable);
    }
    observe(context, record, deps);
  } finally {
    unwatch();
    forget();
  }
}

/** A fault of ours on the way ends the request like any other failure: nothing is left running, and it has its record. */
async function outcomeOf(context: RequestContext, planned: Plan, deps: GatewayDeps): Promise<AnswerOutcome> {
  try {
    const outcome = await attemptAndRelay(context, planned, deps);
    await Promise.all(context.closing);
    return outcome;
  } catch (thrown) {
    const error = asMeridianError(thrown);
    deps.log.error({ request: context.request.id, error: thrown }, 'an answer was given up');
    const outcome: AnswerOutcome = { kind: 'failed', error, settlement: null, ...NO_ONES_FAULT };
    for (const open of context.open) {
      if (open.isClosing) continue;
      open.stream.abort(new AttemptError('cancelled', 'the gateway failed', null));
      await closeAttempt(context, open, outcome, deps);
    }
    return outcome;
  }
}

async function attemptAndRelay(context: RequestContext, planned: Plan, deps: GatewayDeps): Promise<AnswerOutcome> {
  const attempted = await attempt(context, planned, deps);
  if (attempted.kind === 'ended') return attempted.outcome;
  const relayed = await relay(context, attempted, deps);
  if (relayed.kind === 'over') return relayed.outcome;
  const resumed = await resume(context, relayed, planned, deps);
  return resumed.kind === 'answering' ? (await relay(context, resumed, deps)).outcome : resumed.outcome;
}

const NO_ONES_FAULT = { isRetryable: false, isReplicaFault: false, isAfterWork: false };

function finish({ reply, isWorkLost }: RequestContext, outcome: AnswerOutcome): void {
  switch (outcome.kind) {
    case 'completed':
      return outcome.whole === null ? reply.endStream() : reply.endWhole(outcome.whole.status, outcome.whole.body);
    case 'failed':
      // What was tried here as often as makes sense, at the cost of an engine's work, is not for an SDK to multiply.
      return reply.fail(outcome.error, isWorkLost ? { 'x-should-retry': 'false' } : {});
    case 'aborted':
      // Gone already, or to be cut because it does not read.
      return reply.cut();
  }
}

function refuse(request: ReceivedRequest, reply: ClientReply, error: MeridianError, deps: GatewayDeps): void {
  reply.fail(error);
  void reply.taken(deps.options.timeouts.slowReaderMs);
  observeRefusal(request, error, deps);
}
