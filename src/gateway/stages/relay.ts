import { AttemptError, type Settlement } from '../../openai/index.ts';
import { closeAttempt } from '../close-attempt.ts';
import type { RequestContext } from '../context.ts';
import { Delivered } from '../delivered.ts';
import type { GatewayDeps } from '../deps.ts';
import type { OpenAttempt } from '../open-attempt.ts';
import { failedOutcome, type AnswerOutcome, type FailedOutcome } from '../outcome.ts';
import { writeAnswerEnd } from '../answer-end.ts';

interface Answering {
  readonly attempt: OpenAttempt;
  readonly status: number;
}

export type Relayed =
  | { readonly kind: 'over'; readonly outcome: AnswerOutcome }
  /** The replica was lost, or stalled, in mid-answer: the answer may go on elsewhere. */
  | { readonly kind: 'broken-off'; readonly attempt: OpenAttempt; readonly outcome: FailedOutcome };

/**
 * Moves the answer's bytes to the client, and looks into none of them. A client that reads slowly slows its own
 * stream, and is cut when it takes nothing for too long. Resolves when the answer has ended, before its last bytes
 * (`[DONE]`, or the whole of an answer that is not streamed) are sent.
 */
export async function relay(context: RequestContext, answering: Answering, deps: GatewayDeps): Promise<Relayed> {
  if (context.ask.continuableBy !== 'nothing') context.delivered ??= new Delivered();
  const { outcome, isBreak } = await moveBytes(context, answering, deps);
  const { attempt } = answering;
  if (outcome.kind === 'failed' && isBreak && context.delivered !== null && context.continued === null) {
    context.closing.push(closeAttempt(context, attempt, { ...outcome, kind: 'broken-off' }, deps));
    return { kind: 'broken-off', attempt, outcome };
  }
  await closeAttempt(context, attempt, outcome, deps);
  return { kind: 'over', outcome };
}

interface Moved {
  readonly outcome: AnswerOutcome;
  /** It ended because the replica was lost or stalled: not by an error of the engine's own, nor by our bound on the whole. */
  readonly isBreak: boolean;
}

function moveBytes(context: RequestContext, { attempt: open, status }: Answering, deps: GatewayDeps): Promise<Moved> {
  const { reply, ask, delivered, continued } = context;
  const { stream } = open;
  const pieces: Buffer[] = [];
  const slow = slowReader(context, open, deps);
  const watch = progressWatch(context, open, slow, deps);
  if (ask.streamed) reply.commit();
  return new Promise((resolve) => {
    const unwatch = deps.sweep.add(watch.tick);
    const end = (outcome: AnswerOutcome, isBreak = false): void => {
      unwatch();
      resolve({ outcome, isBreak });
    };
    const completed = (settlement: Settlement | null): AnswerOutcome => {
      if (reply.isGone) return { kind: 'aborted', settlement };
      return { kind: 'completed', settlement, whole: ask.streamed ? null : { status, body: Buffer.concat(pieces) } };
    };
    stream.relayTo({
      onData(bytes) {
        if (!ask.streamed) return void pieces.push(bytes);
        const shown = continued === null ? bytes : continued.seam.pass(bytes);
        if (continued === null) delivered?.add(bytes);
        if (shown.length > 0 && !reply.write(shown)) slow.pause();
        if (continued?.seam.isStopped === true) stream.abort(new AttemptError('cancelled', 'a stop sequence is complete', null));
      },
      onEnd: (settlement) => end(completed(settlement)),
      onError(error) {
        if (continued?.seam.isStopped !== true) return end(failedOutcome(error), isBreak(error) && !watch.isOverdue);
        writeAnswerEnd(context, stream.counted, null);
        end(completed(error.settlement));
      },
    });
  });
}

function isBreak({ kind }: AttemptError): boolean {
  return kind === 'broken' || kind === 'unreachable' || kind === 'timeout';
}

interface SlowReader {
  /** Since when the client has taken nothing; null while it keeps up. */
  readonly sinceMs: number | null;
  pause(): void;
}

function slowReader({ reply }: RequestContext, { stream }: OpenAttempt, deps: GatewayDeps): SlowReader {
  let sinceMs: number | null = null;
  return {
    get sinceMs() {
      return sinceMs;
    },
    pause() {
      if (sinceMs !== null) return;
      sinceMs = deps.clock.now();
      stream.pause();
      reply.onDrain(() => {
        sinceMs = null;
        stream.resume();
      });
    },
  };
}

interface ProgressWatch {
  /** The whole request took too long. */
  readonly isOverdue: boolean;
  readonly tick: (now: number) => void;
}

/** Called now and then: gives up on an engine that has stalled, on a client that does not read, and on an answer overdue. */
function progressWatch(context: RequestContext, open: OpenAttempt, slow: SlowReader, deps: GatewayDeps): ProgressWatch {
  const { stallMs, slowReaderMs, totalMs } = deps.options.timeouts;
  const { request, reply } = context;
  const { stream, replica } = open;
  let frames = stream.frames;
  let progressMs = deps.clock.now();
  let isOverdue = false;
  return {
    get isOverdue() {
      return isOverdue;
    },
    tick(now) {
      // While the client keeps the stream waiting, nothing can be said of the engine.
      if (stream.frames !== frames || slow.sinceMs !== null) {
        progressMs = now;
        replica.heard(now);
      }
      frames = stream.frames;
      isOverdue = now - request.startedMs > totalMs;
      if (slow.sinceMs !== null && now - slow.sinceMs > slowReaderMs) return reply.cut();
      if (now - progressMs > stallMs) stream.abort(new AttemptError('timeout', 'the engine stalled', null));
      else if (isOverdue) stream.abort(new AttemptError('timeout', 'the answer took too long', null));
    },
  };
}
