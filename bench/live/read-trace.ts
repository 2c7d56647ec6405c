import { readFileSync } from 'node:fs';

/** One request to be replayed. */
export interface LiveRequest {
  readonly arrivalMs: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Global numbers of the prompt's 512-token blocks. */
  readonly blocks: readonly number[];
}

/** Arrivals of Mooncake's traces are quantised to this; here they are spread evenly over it. */
const QUANTUM_MS = 3_000;

/** The first `count` requests of a trace in Mooncake's format, which `bench:routing` checks line by line. */
export function readTrace(file: string, count: number): LiveRequest[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter((line) => line.trim() !== '').slice(0, count);
  const rows = lines.map((line) => JSON.parse(line) as { timestamp: number; input_length: number; output_length: number; hash_ids: number[] });
  const sameInstant = new Map<number, number>();
  for (const { timestamp } of rows) sameInstant.set(timestamp, (sameInstant.get(timestamp) ?? 0) + 1);
  const seen = new Map<number, number>();
  return rows.map(({ timestamp, input_length: promptTokens, output_length: outputTokens, hash_ids: blocks }) => {
    const nth = seen.get(timestamp) ?? 0;
    seen.set(timestamp, nth + 1);
    return { arrivalMs: timestamp + (QUANTUM_MS * nth) / (sameInstant.get(timestamp) ?? 1), promptTokens, outputTokens: Math.max(1, outputTokens), blocks };
  });
}
