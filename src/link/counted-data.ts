import type { TokenNews } from '../openai/index.ts';
import { LinkProtocolError } from './frames.ts';

/** Six counts of four bytes: prompt, cached, completion and reasoning tokens, and how many ids of each kind follow. */
const HEAD_BYTES = 24;
const ID_BYTES = 4;

/** Payload of `counted`: the counts, the ids of the prompt and of the tokens, and the bytes they belong to. */
export function writeCounted({ usage, ids, promptIds }: TokenNews, bytes: Buffer): Buffer {
  const payload = Buffer.allocUnsafe(HEAD_BYTES + ID_BYTES * (promptIds.length + ids.length) + bytes.length);
  const counts = [usage.promptTokens, usage.cachedTokens, usage.completionTokens, usage.reasoningTokens, promptIds.length, ids.length];
  let at = 0;
  for (const numbers of [counts, promptIds, ids]) for (const number of numbers) at = payload.writeUInt32LE(number, at);
  bytes.copy(payload, at);
  return payload;
}

/** The bytes are a view into `payload`. Throws LinkProtocolError. */
export function readCounted(payload: Buffer): { readonly news: TokenNews; readonly bytes: Buffer } {
  if (payload.length < HEAD_BYTES) throw new LinkProtocolError('a counted frame is cut short');
  const count = (i: number): number => payload.readUInt32LE(i * ID_BYTES);
  const promptEnd = HEAD_BYTES + ID_BYTES * count(4);
  const end = promptEnd + ID_BYTES * count(5);
  if (end > payload.length) throw new LinkProtocolError('the ids of a counted frame are longer than the frame');
  return {
    news: {
      usage: { promptTokens: count(0), cachedTokens: count(1), completionTokens: count(2), reasoningTokens: count(3) },
      promptIds: readIds(payload, HEAD_BYTES, promptEnd),
      ids: readIds(payload, promptEnd, end),
    },
    bytes: payload.subarray(end),
  };
}

function readIds(payload: Buffer, from: number, to: number): number[] {
  const ids: number[] = [];
  for (let at = from; at < to; at += ID_BYTES) ids.push(payload.readUInt32LE(at));
  return ids;
}
