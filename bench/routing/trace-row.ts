import { chained } from '../../src/sim/index.ts';

/** One request of a trace. */
export interface TraceRow {
  readonly arrivalMs: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Hashes of the whole blocks of its prompt, two words each. */
  readonly chain: Uint32Array;
}

/** Chained hashes of blocks that are told apart by numbers. */
export function blockChain(ids: readonly number[]): Uint32Array {
  const words = new Uint32Array(ids.length * 2);
  let [low, high] = [0x811c9dc5, 0x1234];
  for (const [i, id] of ids.entries()) {
    [low, high] = chained(low, high, id);
    words[2 * i] = low;
    words[2 * i + 1] = high;
  }
  return words;
}
