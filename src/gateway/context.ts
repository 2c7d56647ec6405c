import type { IncomingHttpHeaders } from 'node:http';
import type { ApiKeyRecord } from '../accounts/index.ts';
import type { AttemptRecord, Endpoint, UsageSource } from '../billing/index.ts';
import type { RequestSpan } from '../core/index.ts';
import type { Resume, Usage } from '../openai/index.ts';
import type { PromptChain } from '../prefix/index.ts';
import type { AnswerHeaders } from './answer-headers.ts';
import type { ClientReply } from './client-reply.ts';
import type { ContinuableBy } from './continuable.ts';
import type { Delivered } from './delivered.ts';
import type { Once } from './once.ts';
import type { OpenAttempt } from './open-attempt.ts';
import type { RequestHints } from './request-hints.ts';
import type { LoggedRoute } from './route-log.ts';
import type { Seam } from './seam.ts';
import type { Admission } from './stages/admit.ts';

export type { Endpoint };

/** A request as it came in. */
export interface ReceivedRequest {
  readonly id: string;
  readonly endpoint: Endpoint;
  readonly headers: IncomingHttpHeaders;
  /** The client's own bytes. */
  readonly body: Buffer;
  /** Monotonic. */
  readonly startedMs: number;
  /** Milliseconds since the epoch: the instant of admission, which decides the price. */
  readonly admittedAtMs: number;
}

/** What the client asked, checked. */
export interface Ask {
  /** The model's public name; one version where the client asked for an alias. */
  readonly model: string;
  readonly hints: RequestHints;
  readonly streamed: boolean;
  /** The client wants the usage chunk. */
  readonly usageAsked: boolean;
  readonly promptTokensEstimate: number;
  /** All its prompts have at the most so many. */
  readonly promptTokensMax: number;
  readonly prompt: PromptChain;
  /** The bound the client has set on the answer; null without one. */
  readonly outputTokensMax: number | null;
  /** Answers that the client asked for, at the most. */
  readonly answersMax: number;
  /** By what the answer could go on elsewhere, should it break off. */
  readonly continuableBy: ContinuableBy;
  readonly stops: readonly string[];
  /** What goes to the engine: the client's bytes, but for the model's name where the engine knows another. */
  readonly body: Buffer;
}

/** An answer that broke off and goes on elsewhere; that happens once. */
export interface Continued {
  /** Id of the attempt that broke off. */
  readonly attempt: string;
  readonly resume: Resume;
  /** What the client has got from the first attempt, and who says so. */
  readonly usage: Usage;
  readonly source: UsageSource;
  readonly seam: Seam;
}

/** One request on its way; each stage adds what it found. */
export interface RequestContext {
  readonly request: ReceivedRequest;
  readonly key: ApiKeyRecord;
  readonly ask: Ask;
  readonly keyed: Once;
  readonly admission: Admission;
  readonly reply: ClientReply;
  readonly span: RequestSpan;
  readonly shown: AnswerHeaders;
  /** Why its attempts went where they went. */
  readonly route: LoggedRoute;
  /** Attempts that have ended, in order; in the end the last one is the one that counts. */
  readonly attempts: AttemptRecord[];
  /** The attempts under way: one, or two while one is hedged. */
  readonly open: Set<OpenAttempt>;
  /** Attempts that were given up and whose counts are still on their way: waited for before the request is settled. */
  readonly closing: Promise<void>[];
  /** Id of the attempt that began to answer last; null before one did. */
  answeredBy: string | null;
  /** What the client has got of a stream that could go on elsewhere. */
  delivered: Delivered | null;
  /** Set once the answer broke off: what was delivered by then, and from what it goes on. */
  continued: Continued | null;
  /** Some attempt failed after its engine may have worked on it. */
  isWorkLost: boolean;
}
