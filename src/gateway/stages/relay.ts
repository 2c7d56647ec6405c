import { AttemptError } from '../../openai/index.ts';
import { closeAttempt } from '../close-attempt.ts';
import type { RequestContext } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';
import type { OpenAttempt } from '../open-attempt.ts';
import { failedOutcome, type AnswerOutcome } from '../outcome.ts';

interface Answering {
  readonly attempt: OpenAttempt;
  readonly status: number;
}

/**
 * Moves the answer's bytes to the client, and looks into none of them. A client that reads slowly slows its own
 * stream, and is cut when it takes nothing for too long. Resolves when the answer has ended, before its last bytes
 * (`[DONE]`, or the whole of an answer that is not streamed) are sent.
 */
export async function relay(context: RequestContext, answering: Answering, deps: GatewayDeps): Promise<AnswerOutcome> {
  const outcome = await moveBytes(context, answering, deps);
  await closeAttempt(context, answering.attempt, outcome, deps);
  return outcome;
}

function moveBytes(context: RequestContext, { attempt: open, status }: Answering, deps: GatewayDeps): Promise<AnswerOutcome> {
  const { reply, ask } = context;
  const { stream } = open;
  const pieces: Buffer[] = [];
  const slow = slowReader(context, open, deps);
  if (ask.streamed) reply.commit();
  return new Promise((resolve) => {
    const unwatch = deps.sweep.add(progressWatch(context, open, slow, deps));
    const end = (outcome: AnswerOutcome): void => {
      unwatch();
      resolve(outcome);
    };
    stream.relayTo({
      onData(bytes) {
        if (!ask.streamed) pieces.push(bytes);
        else if (!reply.write(bytes)) slow.pause();
      },
      onEnd(settlement) {
        if (reply.isGone) return end({ kind: 'aborted', settlement });
        end({ kind: 'completed', settlement, whole: ask.streamed ? null : { status, body: Buffer.concat(pieces) } });
      },
      onError: (error) => end(failedOutcome(error)),
    });
  });
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

/** Called now and then: gives up on an engine that has stalled, on a client that does not read, and on an answer overdue. */
function progressWatch(context: RequestContext, open: OpenAttempt, slow: SlowReader, deps: GatewayDeps): (now: number) => void {
  const { stallMs, slowReaderMs, totalMs } = deps.options.timeouts;
  const { request, reply } = context;
  const { stream } = open;
  let frames = stream.frames;
  let progressMs = deps.clock.now();
  return (now) => {
    if (stream.frames !== frames || slow.sinceMs !== null) progressMs = now;
    frames = stream.frames;
    if (slow.sinceMs !== null && now - slow.sinceMs > slowReaderMs) return reply.cut();
    if (now - progressMs > stallMs) stream.abort(new AttemptError('timeout', 'the engine stalled', null));
    else if (now - request.startedMs > totalMs) stream.abort(new AttemptError('timeout', 'the answer took too long', null));
  };
}
