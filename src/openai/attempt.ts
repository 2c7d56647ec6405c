import type { Dispatcher } from 'undici';
import type { Usage } from './usage.ts';

/** What a dispatch says of the attempt beyond HTTP; the last hop before the engine puts it in the engine's own terms. */
export interface AttemptTerms {
  /** 33 characters, so that none is a prefix of another. */
  readonly id: string;
  /** Which replica of the node, by its id. */
  readonly replica: string;
  /** Milliseconds from now in which the whole answer is due. */
  readonly deadlineMs: number;
  /** Higher runs first; 0 is the standard class. */
  readonly priority: number;
  /** Hex; tenants with different salts never share KV cache. */
  readonly cacheSalt: string;
  /** The client asked for server-sent events. */
  readonly streamed: boolean;
  /** The client asked for the usage chunk (`stream_options.include_usage`). */
  readonly usageAsked: boolean;
  /** Should it break off, the answer may go on elsewhere: what is needed for that is told along the way. */
  readonly continuable: boolean;
  /** The answer so far, when this attempt is to go on with one that broke off; null for a new answer. */
  readonly resume: Resume | null;
}

/** How an engine can go on with an answer that another one began: not at all, from its text, or from its token ids. */
export type Continuation = 'none' | 'text' | 'tokens';

/** What a client has got of an answer that broke off, for another replica to go on from. */
export interface Resume {
  readonly text: string;
  /** Came before the text. */
  readonly reasoning: string;
  /** Tokens delivered, reasoning included. */
  readonly tokens: number;
  /** Ids of the prompt's tokens and of those delivered; null where the engine that made them told none. */
  readonly ids: { readonly prompt: readonly number[]; readonly delivered: readonly number[] } | null;
}

/** What is told beside the bytes of an answer: it belongs to the bytes that follow. */
export interface TokenNews {
  /** The running count, up to the end of the text in those bytes. */
  readonly usage: Usage;
  /** Ids of the tokens whose text those bytes hold. */
  readonly ids: readonly number[];
  /** Ids of the prompt, once. */
  readonly promptIds: readonly number[];
}

/** A dispatch handler that can also be told of tokens. */
export interface AttemptHandler extends Dispatcher.DispatchHandler {
  onTokens?(news: TokenNews): void;
}

/** The one way to an engine, be it behind a node link or behind an undici pool. */
export interface Upstream {
  /** Number of the newest dispatch; rises with each. Load reports name the newest one they know of. */
  readonly lastDispatch: number;
  dispatch(options: AttemptDispatch, handler: AttemptHandler): boolean;
}

export interface AttemptDispatch {
  readonly path: string;
  readonly method: 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly attempt: AttemptTerms;
}

/** What an attempt came to, as far as its engine and its node can tell. */
export interface Settlement {
  /** The engine's final report; null when none arrived. */
  readonly usage: Usage | null;
  /** The count kept along the way from the engine's running reports; exact up to the last event seen. */
  readonly counted: Usage | null;
  /** Stream events with content that were passed on. */
  readonly frames: number;
}

const TRAILER = 'meridian-settlement';

/** Settlements travel as a trailer of the answer, whichever way it came. */
export function settlementTrailers(settlement: Settlement): Record<string, string> {
  return { [TRAILER]: JSON.stringify(settlement) };
}

/** Null when the answer came without one. */
export function readSettlement(trailers: Readonly<Record<string, string | string[] | undefined>>): Settlement | null {
  const text = trailers[TRAILER];
  return typeof text === 'string' ? (JSON.parse(text) as Settlement) : null;
}

/** An answer that failed in the engine or on the way to it, with what it had come to by then. */
export class AttemptError extends Error {
  readonly kind: AttemptFailure;
  readonly settlement: Settlement | null;

  constructor(kind: AttemptFailure, message: string, settlement: Settlement | null, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AttemptError';
    this.kind = kind;
    this.settlement = settlement;
  }
}

/**
 * - `unreachable`: no connection, or it broke before the engine showed any sign of having begun.
 * - `broken`: the connection or the answer broke off.
 * - `empty`: a 200 without a single token.
 * - `engine`: the engine reported an error of its own within a 200.
 * - `timeout`: nothing came in time.
 * - `cancelled`: we gave it up.
 */
export type AttemptFailure = 'unreachable' | 'broken' | 'empty' | 'engine' | 'timeout' | 'cancelled';
