import type { Clock } from '../core/index.ts';
import { continuationOf, openaiAdapter, sglangAdapter, trtllmAdapter, vllmAdapter, type EngineAdapter, type EngineClient, type EngineInfo, type InFlightCount } from '../engine/index.ts';
import type { Continuation } from '../openai/index.ts';
import type { EngineOptions } from './options.ts';

/** The adapter of the engine that the options name. */
export function makeAdapter({ kind, continuation: setting }: EngineOptions, client: EngineClient, clock: Clock, inFlight: InFlightCount, info: () => EngineInfo | null): EngineAdapter {
  const continuation = (): Continuation => continuationOf(setting, kind, info());
  switch (kind) {
    case 'sglang':
      return sglangAdapter(client, continuation);
    case 'vllm':
      return vllmAdapter(client, clock, continuation);
    case 'trtllm':
      return trtllmAdapter(client, inFlight, continuation);
    case 'openai':
      return openaiAdapter(client, inFlight, continuation);
  }
}
