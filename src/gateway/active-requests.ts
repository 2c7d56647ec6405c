import type { Checkpoint, AttemptProgress } from '../billing/index.ts';
import { addUsage, NO_USAGE, type Usage } from '../openai/index.ts';
import type { RequestContext } from './context.ts';
import type { OpenAttempt } from './open-attempt.ts';

/** The requests that have reached an attempt and are not settled. */
export class ActiveRequests {
  readonly #contexts = new Set<RequestContext>();
  #idleWaiters: (() => void)[] = [];

  add(context: RequestContext): () => void {
    this.#contexts.add(context);
    return () => {
      this.#contexts.delete(context);
      if (this.#contexts.size === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
    };
  }

  has(requestId: string): boolean {
    for (const { request } of this.#contexts) if (request.id === requestId) return true;
    return false;
  }

  /** Resolves once there is none. */
  idle(): Promise<void> {
    if (this.#contexts.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** How far each has come: should this process die, it is settled by that. */
  checkpoints(now: number): Checkpoint[] {
    return [...this.#contexts].map((context) => {
      const { request, attempts, open, continued, answeredBy } = context;
      const running = [...open].map((one) => progress(context, one));
      // One that broke off may still wait for its count; what it delivered is in `continued`.
      const answering = [...open].find(({ id, ttftMs }) => ttftMs !== null && id === answeredBy && id !== continued?.attempt);
      return {
        requestId: request.id,
        elapsedMs: now - request.startedMs,
        ttftMs: answering?.ttftMs == null ? null : answering.startedMs - request.startedMs + answering.ttftMs,
        usage: deliveredInAll(continued?.usage ?? null, running.find(({ id }) => id === answering?.id)?.usage ?? null),
        attempts: [...attempts, ...running],
      };
    });
  }
}

function progress({ request, ask }: RequestContext, open: OpenAttempt): AttemptProgress {
  return {
    outcome: 'running',
    id: open.id,
    replica: open.replica.identity.id,
    region: open.replica.identity.region,
    startedMs: open.startedMs - request.startedMs,
    resumedTokens: open.resumedTokens,
    predictedMs: open.predictedMs,
    ttftMs: open.ttftMs,
    usage: deliveredEstimate(open, ask.promptTokensEstimate),
  };
}

/** Nothing is owed before the first token; from then on the running count, or else the prompt and a token for each frame that came. */
function deliveredEstimate({ ttftMs, stream: { counted, frames } }: OpenAttempt, promptTokens: number): Usage | null {
  if (ttftMs === null) return null;
  return counted ?? { promptTokens, cachedTokens: 0, completionTokens: frames, reasoningTokens: 0 };
}

function deliveredInAll(before: Usage | null, now: Usage | null): Usage {
  if (before === null || now === null) return before ?? now ?? NO_USAGE;
  return addUsage(before, now);
}
