import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { CONVERSATIONS, conversations, type Workload } from '../../src/sim/index.ts';
import { readAzure } from './read-azure.ts';
import { readMooncake } from './read-mooncake.ts';
import { TraceError } from './trace-error.ts';
import { traceWorkload } from './trace-workload.ts';

/** The workload of a trace file, its format told by its first character; without a file the made-up multi-turn one. */
export function loadWorkload(file: string | null, regions: readonly string[], seed: number): Workload {
  if (file === null) return conversations({ ...CONVERSATIONS, seed, regions });
  const text = read(file);
  const rows = text.trimStart().startsWith('{') ? readMooncake(text, file, seed) : readAzure(text, file);
  if (rows.length === 0) throw new TraceError(`${file}: there is no request in it`);
  return traceWorkload(basename(file), rows, regions);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new TraceError(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
