import { AnswerText } from './answer-text.ts';
import { BLOCK_BYTES } from './block-hash.ts';
import { CacheMirror } from './cache-mirror.ts';
import { continuedChain, promptChain, type PromptChain } from './prompt-chain.ts';
import { answerParts, type PromptPath } from './prompt-parts.ts';

/** Bytes of prompt a token, before any engine has told. */
const BYTES_PER_TOKEN = 4;
const RATIO_WEIGHT = 0.05;
/** Until the engine has told the size of its cache. */
const KV_TOKENS = 500_000;
/** Longest answer that is kept to be mirrored. */
const ANSWER_BYTES_MAX = 2 << 20;
const PATHS: readonly string[] = ['/v1/chat/completions', '/v1/completions'] satisfies PromptPath[];

/** Prompt counts as an engine reports them. */
interface PromptUsage {
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

/** What was predicted and what engines then reported, in tokens. */
export interface MirrorAccuracy {
  predictedTokens: number;
  reportedTokens: number;
}

/** Mirrors one engine's cache from the attempts that go through it. */
export class EngineMirror {
  readonly cache: CacheMirror;
  readonly accuracy: MirrorAccuracy;
  #kvTokens = KV_TOKENS;
  #heldTokens = 0;
  #runningPromptTokens = 0;
  #bytesPerToken = BYTES_PER_TOKEN;

  /** `accuracy`: sums that may be shared by several mirrors. */
  constructor(accuracy: MirrorAccuracy = { predictedTokens: 0, reportedTokens: 0 }) {
    this.accuracy = accuracy;
    this.cache = new CacheMirror(Math.floor((KV_TOKENS * BYTES_PER_TOKEN) / BLOCK_BYTES));
  }

  /** The engine's cache has so many tokens, of which running requests hold `heldTokens`; null is unknown. */
  sized(kvTokens: number | null, heldTokens: number | null): void {
    if (kvTokens !== null && kvTokens > 0) this.#kvTokens = kvTokens;
    this.#heldTokens = heldTokens ?? 0;
    // What running requests hold beyond their prompts, which are mirrored, is no room for anything else.
    const ownTokens = Math.max(0, this.#heldTokens - this.#runningPromptTokens);
    this.cache.resize(Math.floor((Math.max(0, this.#kvTokens - ownTokens) * this.#bytesPerToken) / BLOCK_BYTES));
  }

  /** Follows one attempt; null when its body holds no prompt that is cached. */
  follow(path: string, body: Buffer, salt: string, isStream: boolean): MirroredAttempt | null {
    const prompt = PATHS.includes(path) ? read(path as PromptPath, body, salt) : null;
    return prompt === null ? null : new MirroredAttempt(this, path as PromptPath, prompt, isStream);
  }

  /** Tokens of so many blocks. */
  tokensOf(blocks: number): number {
    return (blocks * BLOCK_BYTES) / this.#bytesPerToken;
  }

  /** An attempt's prompt is in the cache, and held there until it ends. */
  began(prompt: PromptChain): void {
    this.#runningPromptTokens += prompt.bytes / this.#bytesPerToken;
    this.cache.insert(prompt.chain);
  }

  left(prompt: PromptChain): void {
    this.#runningPromptTokens = Math.max(0, this.#runningPromptTokens - prompt.bytes / this.#bytesPerToken);
  }

  /** An attempt's engine told how long its prompt was, and how much of it was cached. */
  learn(prompt: PromptChain, predictedBlocks: number, { promptTokens, cachedTokens }: PromptUsage): void {
    if (promptTokens <= 0) return;
    this.accuracy.predictedTokens += Math.min(promptTokens, this.tokensOf(predictedBlocks));
    this.accuracy.reportedTokens += cachedTokens;
    this.#bytesPerToken += RATIO_WEIGHT * (prompt.bytes / promptTokens - this.#bytesPerToken);
  }
}

/** One attempt as the mirror sees it: once it has begun its prompt is cached, and in the end its answer too. */
export class MirroredAttempt {
  readonly #mirror: EngineMirror;
  readonly #path: PromptPath;
  readonly #prompt: PromptChain;
  readonly #answer: AnswerText;
  readonly #predictedBlocks: number;
  #hasBegun = false;

  constructor(mirror: EngineMirror, path: PromptPath, prompt: PromptChain, isStream: boolean) {
    this.#mirror = mirror;
    this.#path = path;
    this.#prompt = prompt;
    this.#answer = new AnswerText(isStream, ANSWER_BYTES_MAX);
    this.#predictedBlocks = mirror.cache.match(prompt.chain);
  }

  /** Bytes of the answer, as the client gets them. */
  answered(bytes: Buffer): void {
    if (!this.#hasBegun) this.#mirror.began(this.#prompt);
    this.#hasBegun = true;
    this.#answer.add(bytes);
  }

  /** It is over; `usage` as its engine told, null when it did not. */
  ended(usage: PromptUsage | null): void {
    if (this.#hasBegun) this.#mirror.left(this.#prompt);
    if (usage !== null) this.#mirror.learn(this.#prompt, this.#predictedBlocks, usage);
    const text = this.#hasBegun ? this.#answer.read() : null;
    if (text !== null) this.#mirror.cache.insert(continuedChain(this.#prompt, answerParts(this.#path, text)).chain);
  }
}

function read(path: PromptPath, body: Buffer, salt: string): PromptChain | null {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    const fields = value as Record<string, unknown>;
    return promptChain(path, fields, { salt, model: String(fields['model']) });
  } catch {
    // A body that is no JSON is the engine's to refuse.
    return null;
  }
}
