import { BLOCK_BYTES, chainBlocks } from './block-hash.ts';
import { promptParts, type PromptPath } from './prompt-parts.ts';

/** Share of bytes beyond one per character: what language a prompt is written in, as far as it matters for tokens. */
export type TextKind = 'ascii' | 'mixed' | 'wide';

/** A prompt as routing sees it. */
export interface PromptChain {
  /** Chained hashes of its whole blocks of `BLOCK_BYTES`, two words (low, high) each. */
  readonly chain: Uint32Array;
  /** Bytes in template order. */
  readonly bytes: number;
  readonly kind: TextKind;
  /** What is left after the last whole block, to go on from. */
  readonly tail: Buffer;
}

export interface PromptOrigin {
  /** Caches of different salts are never shared. */
  readonly salt: string;
  /** As the engine calls it. */
  readonly model: string;
}

const FIRST_LOW = 0x2545f491;
const FIRST_HIGH = 0x0f4914;
const NOTHING = Buffer.alloc(0);
const MIXED_MIN = 1.02;
const WIDE_MIN = 1.3;

/** One buffer for all prompts: they are hashed one after the other. Aligned, so that it can be read by words. */
let scratch = Buffer.from(new ArrayBuffer(64 * 1024));

/** Hashes the prompt of a request body, in the order in which chat templates lay it out. */
export function promptChain(path: PromptPath, body: Readonly<Record<string, unknown>>, { salt, model }: PromptOrigin): PromptChain {
  const parts = [`${salt}\0${model}\0`, ...promptParts(path, body)];
  return chainParts(parts, { chain: new Uint32Array(0), tail: NOTHING });
}

/** The chain of the prompt and what comes after it. */
export function continuedChain(prompt: Pick<PromptChain, 'chain' | 'tail'>, parts: readonly string[]): PromptChain {
  return chainParts(parts, prompt);
}

function chainParts(parts: readonly string[], before: Pick<PromptChain, 'chain' | 'tail'>): PromptChain {
  let units = 0;
  for (const part of parts) units += part.length;
  reserve(before.tail.length + units * 3);
  let length = before.tail.copy(scratch, 0);
  const written = length;
  for (const part of parts) length += scratch.write(part, length, 'utf8');
  const blocks = Math.floor(length / BLOCK_BYTES);
  const chain = new Uint32Array(before.chain.length + 2 * blocks);
  chain.set(before.chain);
  const [low, high] = [before.chain.at(-2) ?? FIRST_LOW, before.chain.at(-1) ?? FIRST_HIGH];
  chainBlocks(new Uint32Array(scratch.buffer, 0, (blocks * BLOCK_BYTES) / 4), blocks, low, high, chain, before.chain.length);
  return { chain, bytes: length - written, kind: kindOf((length - written) / Math.max(1, units)), tail: Buffer.from(scratch.subarray(blocks * BLOCK_BYTES, length)) };
}

function reserve(bytes: number): void {
  if (scratch.length < bytes) scratch = Buffer.from(new ArrayBuffer(2 ** Math.ceil(Math.log2(bytes))));
}

function kindOf(bytesPerUnit: number): TextKind {
  if (bytesPerUnit < MIXED_MIN) return 'ascii';
  return bytesPerUnit < WIDE_MIN ? 'mixed' : 'wide';
}
