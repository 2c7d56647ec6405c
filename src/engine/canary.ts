import { ulid, type Cancel, type Clock, type Logger } from '../core/index.ts';
import type { EngineAdapter } from './engine-adapter.ts';
import { EngineStatusError, type EngineClient } from './engine-client.ts';
import { implausibility } from './plausible-text.ts';

export interface CanaryOptions {
  /** Tokens it asks for; 0: there is none. */
  readonly tokens: number;
  /** Length of the first one's prompt, about: a start is over only once a prompt of a real length was answered. */
  readonly promptTokens: number;
  readonly everyMs: number;
  /** After one that failed, or that told nothing. */
  readonly againMs: number;
  readonly timeoutMs: number;
}

interface CanaryDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly client: Pick<EngineClient, 'control'>;
  readonly adapter: Pick<EngineAdapter, 'prepareBody'>;
  readonly model: string;
  readonly options: CanaryOptions;
}

/** What the newest canaries say of an engine: nothing yet, that it is well, or why it is not. */
export type CanaryVerdict = { readonly kind: 'untried' | 'passed' } | { readonly kind: 'failed'; readonly reason: string };

/** Canaries as the configuration has them by default. */
export const CANARY_DEFAULTS: CanaryOptions = { tokens: 64, promptTokens: 2_048, everyMs: 60_000, againMs: 2_000, timeoutMs: 60_000 };

const PATH = '/v1/chat/completions';
const QUESTION =
  'Explain in plain words, as for a curious reader, how ships found their way across the open sea before there were satellites: stars, compasses, clocks, charts, currents and birds.';
/** About four bytes of English are a token. */
const BYTES_PER_TOKEN = 4;
/** One bad answer may be chance. */
const FAILURES_MIN = 2;

/**
 * Asks an engine a question of its own now and then, and looks whether the answer can be one. An engine may be quick, answer
 * its health probe, and write garbage. One that is too busy to answer has failed nothing.
 */
export class Canary {
  readonly #deps: CanaryDeps;
  readonly #onChange: () => void;
  #verdict: CanaryVerdict = { kind: 'untried' };
  #failures = 0;
  /** Rises with each engine; what an earlier one said is void. */
  #era = 0;
  #cancel: Cancel = () => {};

  constructor(deps: CanaryDeps, onChange: () => void) {
    this.#deps = deps;
    this.#onChange = onChange;
    if (deps.options.tokens === 0) this.#verdict = { kind: 'passed' };
  }

  get verdict(): CanaryVerdict {
    return this.#verdict;
  }

  /** The engine has begun to answer: nothing is known of it until a canary has passed. */
  start(): void {
    if (this.#deps.options.tokens === 0) return;
    this.stop();
    this.#verdict = { kind: 'untried' };
    this.#failures = 0;
    void this.#ask(this.#era);
  }

  /** Something speaks against the engine: it counts as untried until the next canary has come back. */
  suspect(): void {
    if (this.#verdict.kind !== 'passed' || this.#deps.options.tokens === 0) return;
    this.start();
    this.#onChange();
  }

  /** The engine answers no more. */
  stop(): void {
    this.#era += 1;
    this.#cancel();
  }

  async #ask(era: number): Promise<void> {
    const fault = await this.#fault();
    if (era !== this.#era) return;
    const { everyMs, againMs } = this.#deps.options;
    if (fault === null) this.#passed();
    else if (fault !== undefined) this.#failed(fault);
    this.#cancel = this.#deps.clock.after(this.#verdict.kind === 'passed' && this.#failures === 0 ? everyMs : againMs, () => void this.#ask(era));
  }

  /** What is wrong with an answer; null when nothing is, undefined when there was none that tells anything. */
  async #fault(): Promise<string | null | undefined> {
    const { client, adapter, model, options, clock } = this.#deps;
    const id = `canary_${ulid(clock.wallMs())}`;
    const content = this.#verdict.kind === 'untried' ? withPreface(QUESTION, options.promptTokens) : QUESTION;
    const asked = { model, messages: [{ role: 'user', content }], max_tokens: options.tokens, temperature: 0 };
    const terms = { id, replica: '', deadlineMs: options.timeoutMs, priority: 0, cacheSalt: '', streamed: false, usageAsked: false, continuable: false, resume: null };
    try {
      const body: unknown = JSON.parse(adapter.prepareBody(PATH, Buffer.from(JSON.stringify(asked)), terms, 0).toString());
      return faultOf(await client.control('POST', PATH, Object(body) as object, options.timeoutMs));
    } catch (error) {
      // An engine that does not know chats cannot be asked so.
      return error instanceof EngineStatusError && error.status >= 400 && error.status < 429 ? null : undefined;
    }
  }

  #passed(): void {
    this.#failures = 0;
    this.#become({ kind: 'passed' });
  }

  #failed(reason: string): void {
    this.#failures += 1;
    this.#deps.log.warn({ reason, failures: this.#failures }, 'a canary of the engine failed');
    if (this.#failures >= FAILURES_MIN) this.#become({ kind: 'failed', reason: `its answers make no sense: ${reason}` });
  }

  #become(verdict: CanaryVerdict): void {
    if (verdict.kind === this.#verdict.kind) return;
    this.#verdict = verdict;
    this.#onChange();
  }
}

/** The question behind so many tokens of other text, no part of which is like another. */
function withPreface(question: string, tokens: number): string {
  const lines: string[] = [];
  let bytes = question.length;
  for (let n = 1; bytes < tokens * BYTES_PER_TOKEN; n += 1) {
    const line = `Entry ${n} of the log: the wind stood at ${(n * 37) % 360} degrees, we made ${(n * 7) % 19} knots, and the glass showed ${980 + ((n * 11) % 50)}.`;
    lines.push(line);
    bytes += line.length + 1;
  }
  return [...lines, question].join('\n');
}

function faultOf(answer: string): string | null {
  let text: string;
  try {
    const [choice] = Reflect.get(Object(JSON.parse(answer)), 'choices') as { message: { content?: string | null; reasoning_content?: string | null } }[];
    text = `${choice?.message.reasoning_content ?? ''}${choice?.message.content ?? ''}`;
  } catch {
    return 'it is no chat completion';
  }
  return implausibility(text);
}
