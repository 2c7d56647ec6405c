import { decodeStepMs, type EngineModelConfig } from './engine-config.ts';
import type { EngineRun } from './engine-run.ts';

/** A step under way: a prompt chunk for the runs that prefill and one token for each run that decodes. */
export interface Step {
  readonly startedAtMs: number;
  readonly endsAtMs: number;
  readonly chunks: readonly { readonly run: EngineRun; readonly tokens: number }[];
  readonly decoding: number;
}

/** Time of a step of so many prompt tokens and decoding runs; one that only prefills has the launch cost of a decode step of one. */
export function stepMs({ decodeStep, prefillTokensPerSecond }: EngineModelConfig, prefillTokens: number, decoding: number): number {
  return decodeStepMs(decodeStep, Math.max(1, decoding)) + (prefillTokens * 1_000) / prefillTokensPerSecond;
}
