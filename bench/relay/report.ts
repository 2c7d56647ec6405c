import { cpus, totalmem } from 'node:os';
import type { Figures } from './figures.ts';

/** Everything a run found out; `--json` prints it as it is. */
export interface Report {
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly rows: readonly ReportRow[];
}

export interface ReportRow {
  readonly name: string;
  readonly title: string;
  /** Why it cannot run on this machine. */
  readonly missing?: string;
  /** What went wrong when it ran. */
  readonly failed?: string;
  readonly figures?: Figures;
  readonly errorSamples?: readonly string[];
}

export interface Machine {
  readonly cores: number;
  readonly cpuModel: string;
  readonly memoryGiB: number;
  readonly node: string;
}

/** The row that the ratios are taken to. */
export const UNIT_ROW = 'haproxy';

export function thisMachine(): Machine {
  return {
    cores: cpus().length,
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
  };
}
