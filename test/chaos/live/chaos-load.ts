import OpenAI, { APIError } from 'openai';
import { seededRng, systemClock, wait, type Rng } from '../../../src/core/index.ts';
import { freeAnswer } from '../../../src/sim/answer.ts';
import { chatPrompt } from '../../../src/sim/chat-template.ts';
import { MODEL } from '../../support/test-fleet.ts';

/** How a request ended for its client. `truncated`: the stream just stopped, with neither an end nor an error. */
export type ClientEnd = 'whole' | 'wrong' | 'truncated' | 'error' | 'left';

export interface AskedRequest {
  readonly id: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly end: ClientEnd;
  readonly error: string | null;
  readonly isStreamed: boolean;
  /** Tokens the whole answer has. */
  readonly expectedTokens: number;
  readonly longestGapMs: number;
}

const PROMPTS = ['Tell me of the sea', 'Why is the sky blue?', 'Describe a morning in the hills', 'How do ships find their way?'];
const TOKENS = { least: 40, most: 260 };
const LEAVING = 0.08;
const WHOLE_ANSWERS = 0.12;
/** After a refusal that came at once a client takes breath. */
const BREATH_MS = 200;

interface Body {
  readonly model: string;
  readonly seed: number;
  readonly max_tokens: number;
  readonly messages: { role: 'user'; content: string }[];
}

/** Clients with the official SDK, without its own retries, that ask one request after another until they are stopped. */
export class ChaosLoad {
  readonly asked: AskedRequest[] = [];
  readonly #client: OpenAI;
  readonly #startMs: number;
  #isStopped = false;

  constructor(baseURL: string, apiKey: string, startMs: number) {
    this.#client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 120_000 });
    this.#startMs = startMs;
  }

  /** Resolves once all clients have ended their last request. */
  async run(clients: number, seed: number): Promise<void> {
    await Promise.all(Array.from({ length: clients }, (_, i) => this.#askOn(seededRng(seed * 1_000 + i))));
  }

  /** So many streams, one from each client. */
  async again(clients: number, seed: number): Promise<void> {
    await Promise.all(
      Array.from({ length: clients }, async (_, i) => {
        this.asked.push(await this.#askStream(bodyOf(seededRng(seed * 1_000 + i)), null));
      }),
    );
  }

  /** Each client ends after the request it is at. */
  stop(): void {
    this.#isStopped = true;
  }

  async #askOn(rng: Rng): Promise<void> {
    while (!this.#isStopped) {
      const body = bodyOf(rng);
      const dice = rng.next();
      const asked = dice < WHOLE_ANSWERS ? await this.#askWhole(body) : await this.#askStream(body, dice > 1 - LEAVING ? Math.floor(rng.next() * 30) : null);
      this.asked.push(asked);
      if (asked.end === 'error') await wait(systemClock, BREATH_MS);
    }
  }

  async #askWhole(body: Body): Promise<AskedRequest> {
    const startedMs = this.#now();
    const ended = this.#ender(body, startedMs, false);
    try {
      const { data, request_id: id } = await this.#client.chat.completions.create(body).withResponse();
      return ended(id ?? '', data.choices[0]?.message.content === expectedOf(body).text ? 'whole' : 'wrong', null, 0);
    } catch (error) {
      return ended(idOf(error), 'error', textOf(error), 0);
    }
  }

  async #askStream(body: Body, leaveAfter: number | null): Promise<AskedRequest> {
    const startedMs = this.#now();
    const ended = this.#ender(body, startedMs, true);
    const leaving = new AbortController();
    let id = '';
    let text = '';
    let finish: string | null = null;
    let pieces = 0;
    let lastMs = 0;
    let longestGapMs = 0;
    try {
      const { data, request_id: requestId } = await this.#client.chat.completions.create({ ...body, stream: true }, { signal: leaving.signal }).withResponse();
      id = requestId ?? '';
      for await (const chunk of data) {
        const now = this.#now();
        if (lastMs > 0) longestGapMs = Math.max(longestGapMs, now - lastMs);
        lastMs = now;
        text += chunk.choices[0]?.delta.content ?? '';
        finish = chunk.choices[0]?.finish_reason ?? finish;
        pieces += 1;
        if (leaveAfter !== null && pieces > leaveAfter) {
          leaving.abort();
          return ended(id, 'left', null, longestGapMs);
        }
      }
    } catch (error) {
      return ended(id || idOf(error), 'error', textOf(error), longestGapMs);
    }
    if (finish === null) return ended(id, 'truncated', null, longestGapMs);
    const expected = expectedOf(body);
    return ended(id, text === expected.text && finish === expected.finishReason ? 'whole' : 'wrong', null, longestGapMs);
  }

  #ender(body: Body, startedMs: number, isStreamed: boolean) {
    return (id: string, end: ClientEnd, error: string | null, longestGapMs: number): AskedRequest => ({
      id,
      startedMs,
      endedMs: this.#now(),
      end,
      error,
      isStreamed,
      expectedTokens: expectedOf(body).tokens,
      longestGapMs,
    });
  }

  #now(): number {
    return systemClock.now() - this.#startMs;
  }
}

function bodyOf(rng: Rng): Body {
  return {
    model: MODEL,
    seed: Math.floor(rng.next() * 1e6),
    max_tokens: Math.floor(TOKENS.least + rng.next() * (TOKENS.most - TOKENS.least)),
    messages: [{ role: 'user', content: PROMPTS[Math.floor(rng.next() * PROMPTS.length)] ?? '' }],
  };
}

/** What the simulated model says to it, wherever it runs: a function of prompt and seed. */
function expectedOf({ messages, seed, max_tokens: maxTokens }: Body): { readonly text: string; readonly tokens: number; readonly finishReason: string } {
  const prompt = chatPrompt({ messages: messages.map((message) => ({ ...message, extra: '' })), tools: '', thinking: false, continueFinal: false, limitTokens: 1e6 });
  const answer = freeAnswer({ prompt, seed, maxTokens, ignoreEnd: false, stops: [] });
  return { text: answer.pieces.join(''), tokens: answer.tokens.length, finishReason: answer.finishReason };
}

function idOf(error: unknown): string {
  return error instanceof APIError ? (error.requestID ?? '') : '';
}

function textOf(error: unknown): string {
  if (error instanceof APIError) return `${error.status ?? ''} ${error.code ?? error.message}`.trim();
  return error instanceof Error ? error.message : String(error);
}
