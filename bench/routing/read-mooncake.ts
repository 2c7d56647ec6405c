import { seededRng } from '../../src/core/index.ts';
import { blockChain, type TraceRow } from './trace-row.ts';
import { TraceError, wholeNumber } from './trace-error.ts';

/** Arrivals of the conversation trace are quantised to this; a seeded jitter spreads them again. */
const QUANTUM_MS = 3_000;
const BLOCK_TOKENS = 512;

/**
 * Reads Mooncake's trace format (Qin et al., FAST 2025): a JSON object a line with `timestamp` in milliseconds, `input_length`
 * and `output_length` in tokens, and `hash_ids`, a global number for each 512-token block of the prompt together with all
 * before it. Throws TraceError with file, line and field.
 */
export function readMooncake(text: string, file: string, seed: number): TraceRow[] {
  const rng = seededRng(seed);
  const rows: TraceRow[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const at = `${file}:${i + 1}`;
    const fields = parseLine(line, at);
    const promptTokens = wholeNumber(fields['input_length'], 1, at, 'input_length');
    const ids = idsOf(fields['hash_ids'], at);
    rows.push({
      arrivalMs: wholeNumber(fields['timestamp'], 0, at, 'timestamp') + rng.next() * QUANTUM_MS,
      promptTokens,
      outputTokens: Math.max(1, wholeNumber(fields['output_length'], 0, at, 'output_length')),
      // The last block may be a part of one: only whole ones can be shared.
      chain: blockChain(ids.slice(0, Math.floor(promptTokens / BLOCK_TOKENS))),
    });
  }
  return rows;
}

function parseLine(line: string, at: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new TraceError(`${at}: this is no JSON: ${String(cause)}`, { cause });
  }
  throw new TraceError(`${at}: a line must be a JSON object with 'timestamp', 'input_length', 'output_length' and 'hash_ids'`);
}

function idsOf(value: unknown, at: string): number[] {
  if (!Array.isArray(value)) throw new TraceError(`${at}: 'hash_ids' must be a list of whole numbers, not ${JSON.stringify(value) ?? 'nothing'}`);
  return value.map((id, i) => wholeNumber(id, 0, at, `hash_ids[${i}]`));
}
