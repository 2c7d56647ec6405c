import { seededRng, type Rng } from '../../core/index.ts';
import { BLOCK_TOKENS } from './fleet-plan.ts';
import type { FleetRequest } from './gateway-mind.ts';

/** Requests in order of arrival, and the region each comes from. */
export interface Workload {
  readonly about: string;
  readonly requests: readonly FleetRequest[];
  /** By request: the region whose gateway takes it. */
  readonly homes: readonly string[];
}

export interface ConversationOptions {
  readonly seed: number;
  readonly regions: readonly string[];
  readonly durationMs: number;
  readonly conversationsPerS: number;
  readonly organizations: number;
  readonly turnsMean: number;
  readonly thinkMsMean: number;
  /** Lengths in tokens: medians of log-normal distributions. */
  readonly systemTokens: number;
  readonly questionTokens: number;
  readonly answerTokens: number;
  readonly promptTokensMax: number;
  /** Share of conversations that may be served in their home region only. */
  readonly boundShare: number;
}

export const CONVERSATIONS: ConversationOptions = {
  seed: 1,
  regions: [],
  durationMs: 3_600_000,
  conversationsPerS: 1,
  organizations: 20,
  turnsMean: 5,
  thinkMsMean: 20_000,
  systemTokens: 3_000,
  questionTokens: 1_200,
  answerTokens: 300,
  promptTokensMax: 100_000,
  boundShare: 0,
};

const HIGH_MASK = 0x1f_ffff;

/**
 * A multi-turn workload: organisations of unequal size (Zipf), each with a system prompt of its own; conversations whose next
 * prompt holds the one before and its answer; Poisson arrivals, exponential thinking.
 */
export function conversations(options: ConversationOptions): Workload {
  const rng = seededRng(options.seed);
  const organizations = Array.from({ length: options.organizations }, (_, i) => ({
    name: `org-${i + 1}`,
    system: logNormal(rng, options.systemTokens, 0.8),
    weight: 1 / (i + 1),
  }));
  const totalWeight = organizations.reduce((sum, { weight }) => sum + weight, 0);
  const found: { readonly request: Omit<FleetRequest, 'index'>; readonly home: string }[] = [];
  let conversation = 0;
  for (let startMs = exponential(rng, 1_000 / options.conversationsPerS); startMs < options.durationMs; startMs += exponential(rng, 1_000 / options.conversationsPerS)) {
    conversation += 1;
    const organization = pick(organizations, rng.next() * totalWeight);
    const home = options.regions[Math.floor(rng.next() * options.regions.length)] ?? '';
    const isBound = rng.next() < options.boundShare;
    const content = new Content(organization.name, `${conversation}`);
    content.add(organization.system, 'system');
    const turns = 1 + Math.floor(exponential(rng, options.turnsMean - 1 + 1e-9));
    let atMs = startMs;
    for (let turn = 0; turn < turns && atMs < options.durationMs; turn += 1) {
      content.add(logNormal(rng, options.questionTokens, 1), 'own');
      if (content.tokens > options.promptTokensMax) break;
      const promptTokens = content.tokens;
      const chain = content.chain();
      const outputTokens = Math.max(2, logNormal(rng, options.answerTokens, 0.8));
      content.add(outputTokens, 'own');
      const request = {
        arrivalMs: atMs,
        organization: organization.name,
        session: `s${conversation}`,
        promptTokens,
        outputTokens,
        chain,
        answeredChain: content.chain(),
        tokensPerBlock: BLOCK_TOKENS,
        regions: isBound ? [home] : null,
        priority: 'standard' as const,
      };
      found.push({ request, home });
      // The next question comes after the answer has been read.
      atMs += 2_000 + outputTokens * 30 + exponential(rng, options.thinkMsMean);
    }
  }
  return inOrder(`${conversation} conversations of ${options.organizations} organisations`, found);
}

/** Puts requests in order of arrival and numbers them. */
export function inOrder(about: string, found: { readonly request: Omit<FleetRequest, 'index'>; readonly home: string }[]): Workload {
  const sorted = [...found].sort((a, b) => a.request.arrivalMs - b.request.arrivalMs);
  return {
    about,
    requests: sorted.map(({ request }, index) => ({ ...request, index })),
    homes: sorted.map(({ home }) => home),
  };
}

/** What a conversation holds so far, as chained block hashes: the blocks of the system prompt are the organisation's. */
class Content {
  readonly #organization: string;
  readonly #conversation: string;
  #systemTokens = 0;
  tokens = 0;

  constructor(organization: string, conversation: string) {
    this.#organization = organization;
    this.#conversation = conversation;
  }

  add(tokens: number, whose: 'system' | 'own'): void {
    this.tokens += tokens;
    if (whose === 'system') this.#systemTokens += tokens;
  }

  chain(): Uint32Array {
    const blocks = Math.floor(this.tokens / BLOCK_TOKENS);
    const shared = Math.floor(this.#systemTokens / BLOCK_TOKENS);
    const words = new Uint32Array(blocks * 2);
    let [low, high] = seedOf(this.#organization);
    for (let i = 0; i < blocks; i += 1) {
      if (i === shared) [low, high] = seedOf(`${this.#organization}/${this.#conversation}`);
      [low, high] = chained(low, high, i);
      words[2 * i] = low;
      words[2 * i + 1] = high;
    }
    return words;
  }
}

/** The next block's hash after one of hash (low, high), with `content`: 32 and 21 bits. */
export function chained(low: number, high: number, content: number): [low: number, high: number] {
  let a = Math.imul(low ^ content, 0x9e3779b1) ^ high;
  a = Math.imul(a ^ (a >>> 15), 0x85ebca6b);
  let b = Math.imul(high ^ Math.imul(content, 0xc2b2ae35), 0x27d4eb2f) ^ low;
  b = Math.imul(b ^ (b >>> 13), 0x165667b1) + a;
  return [(a ^ (a >>> 16)) >>> 0, ((b ^ (b >>> 15)) >>> 0) & HIGH_MASK];
}

function seedOf(text: string): [low: number, high: number] {
  let pair: [number, number] = [0x811c9dc5, 0x1234];
  for (let i = 0; i < text.length; i += 1) pair = chained(pair[0], pair[1], text.charCodeAt(i));
  return pair;
}

function pick<T extends { readonly weight: number }>(from: readonly T[], at: number): T {
  let left = at;
  for (const one of from) {
    left -= one.weight;
    if (left < 0) return one;
  }
  return from[from.length - 1] as T;
}

function exponential(rng: Rng, mean: number): number {
  return -Math.log(1 - rng.next()) * mean;
}

function logNormal(rng: Rng, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next());
  return Math.max(1, Math.round(median * Math.exp(sigma * normal)));
}
