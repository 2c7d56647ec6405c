import { chained } from '../../src/sim/index.ts';
import { TraceError, wholeNumber } from './trace-error.ts';
import type { TraceRow } from './trace-row.ts';

const HEADER = ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens'];
const BLOCK_TOKENS = 512;

/**
 * Reads Azure's trace format (Patel et al., ISCA 2024): CSV with TIMESTAMP, ContextTokens and GeneratedTokens. It does not tell
 * what prompts share, so every block is its own request's. Throws TraceError with file, line and field.
 */
export function readAzure(text: string, file: string): TraceRow[] {
  const [header = '', ...lines] = text.split('\n').map((line) => line.trim());
  if (header !== HEADER.join(',')) throw new TraceError(`${file}:1: the header must be '${HEADER.join(',')}', not '${header}'`);
  const rows: TraceRow[] = [];
  for (const [i, line] of lines.entries()) {
    if (line === '') continue;
    const at = `${file}:${i + 2}`;
    const fields = line.split(',');
    if (fields.length !== HEADER.length) throw new TraceError(`${at}: a line must have ${HEADER.length} fields, not ${fields.length}`);
    const [timestamp = '', context = '', generated = ''] = fields;
    const promptTokens = wholeNumber(numberOf(context), 1, at, 'ContextTokens');
    rows.push({
      arrivalMs: instant(timestamp, at),
      promptTokens,
      outputTokens: wholeNumber(numberOf(generated), 1, at, 'GeneratedTokens'),
      chain: ownBlocks(i, Math.floor(promptTokens / BLOCK_TOKENS)),
    });
  }
  return rows;
}

/** A number where the field is one, and the text itself for the error otherwise. */
function numberOf(field: string): unknown {
  return field.trim() === '' || Number.isNaN(Number(field)) ? field : Number(field);
}

/** Like `2023-11-16 18:15:46.6805900`, in UTC. */
function instant(text: string, at: string): number {
  const atMs = Date.parse(`${text.trim().replace(' ', 'T').replace(/Z?$/, '')}Z`);
  if (Number.isNaN(atMs)) throw new TraceError(`${at}: 'TIMESTAMP' must be a time like '2023-11-16 18:15:46.6805900', not '${text}'`);
  return atMs;
}

function ownBlocks(request: number, blocks: number): Uint32Array {
  const words = new Uint32Array(blocks * 2);
  let [low, high] = chained(0xa2c1, request & 0x1f_ffff, request);
  for (let at = 0; at < words.length; at += 2) {
    [low, high] = chained(low, high, request);
    words[at] = low;
    words[at + 1] = high;
  }
  return words;
}
