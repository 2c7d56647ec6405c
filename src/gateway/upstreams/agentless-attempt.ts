import type { Dispatcher } from 'undici';
import { EngineAttempt, type EngineAttemptDeps, type EngineAttemptEnd } from '../../engine/index.ts';
import { AttemptError, settlementTrailers, type AttemptHandler, type AttemptTerms } from '../../openai/index.ts';
import type { MirroredAttempt } from '../../prefix/index.ts';

/**
 * One attempt on an agentless replica, as the gateway's handler sees it: the controller over the attempt in the engine,
 * which does here what a node daemon does there.
 */
export class AgentlessAttempt implements Dispatcher.DispatchController {
  /** The handler of the raw dispatch. */
  readonly raw: EngineAttempt;
  readonly #handler: AttemptHandler;
  #reason: Error | null = null;

  constructor(handler: AttemptHandler, terms: AttemptTerms, mirrored: MirroredAttempt | null, deps: EngineAttemptDeps) {
    this.#handler = handler;
    this.raw = new EngineAttempt(terms, deps, {
      onBytes: () => {},
      onHead: (status, headers) => handler.onResponseStart?.(this, status, headers),
      onData: (bytes, news) => {
        if (news !== null) handler.onTokens?.(news);
        handler.onResponseData?.(this, bytes);
        mirrored?.answered(bytes);
      },
      onOver: (end) => {
        mirrored?.ended(end.settlement.usage);
        this.#tell(end);
      },
    });
  }

  get paused(): boolean {
    return this.raw.isPaused;
  }

  get aborted(): boolean {
    return this.#reason !== null;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  /** Tells the handler that it begins; it may give up at once. */
  start(): void {
    this.#handler.onRequestStart?.(this, {});
  }

  pause(): void {
    this.raw.pause();
  }

  resume(): void {
    this.raw.resume();
  }

  /** Gives the attempt up. A client that left waits for nothing, so the engine's last counts can be; what has timed out does. */
  abort(reason: Error): void {
    if (this.#reason !== null || this.raw.isOver) return;
    this.#reason = reason;
    if (reason instanceof AttemptError && reason.kind !== 'cancelled') this.raw.giveUp();
    else this.raw.stop();
  }

  #tell(end: EngineAttemptEnd): void {
    switch (end.kind) {
      case 'whole':
        return this.#handler.onResponseEnd?.(this, settlementTrailers(end.settlement));
      case 'failed':
        return this.#handler.onResponseError?.(this, end.error);
      case 'stopped': {
        const { reason } = this;
        const kind = reason instanceof AttemptError ? reason.kind : 'cancelled';
        const message = reason?.message ?? 'the attempt was stopped';
        return this.#handler.onResponseError?.(this, new AttemptError(kind, message, end.settlement, { cause: reason }));
      }
    }
  }
}
