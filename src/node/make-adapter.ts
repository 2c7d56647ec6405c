import { continuationOf, openaiAdapter, sglangAdapter, type EngineAdapter, type EngineClient, type EngineInfo, type InFlightCount } from '../engine/index.ts';
import type { Continuation } from '../openai/index.ts';
import type { EngineOptions } from './options.ts';

/** The adapter of the engine that the options name. */
export function makeAdapter({ kind, continuation: setting }: EngineOptions, client: EngineClient, inFlight: InFlightCount, info: () => EngineInfo | null): EngineAdapter {
  const continuation = (): Continuation => continuationOf(setting, kind, info());
  switch (kind) {
    case 'sglang':
      return sglangAdapter(client, continuation);
    case 'openai':
      return openaiAdapter(client, inFlight, continuation);
  }
}
