import { engineBody, type Continuation } from '../openai/index.ts';
import type { EngineClient } from './engine-client.ts';
import type { EngineAdapter, InFlightCount } from './engine-adapter.ts';
import { countOrNull, fields } from './json-fields.ts';
import { resumedMembers } from './resumed-body.ts';

/**
 * Any OpenAI-compatible engine: it gets the client's body and no field of ours, an attempt ends with its connection, and
 * its load is what the daemon has given it.
 */
export function openaiAdapter(client: EngineClient, inFlight: InFlightCount, continuation: () => Continuation = () => 'none'): EngineAdapter {
  return {
    kind: 'openai',
    readinessPath: '/v1/models',
    loadMsMin: 0,
    prepareBody(path, body, terms) {
      const by = continuation();
      const resumed = terms.resume === null || by === 'none' ? {} : openEnded(path, resumedMembers(body, path, terms.resume, 'text'));
      return engineBody(body, { streamed: terms.streamed, runningCounts: false }, resumed);
    },
    async readInfo() {
      const models: unknown = fields(await client.json('/v1/models'))['data'];
      const first = fields(Array.isArray(models) ? models[0] : null);
      return {
        version: null,
        instance: null,
        kvTokens: null,
        runningMax: null,
        contextTokens: countOrNull(first['max_model_len']),
        tellsTokenIds: false,
        ranks: 1,
      };
    },
    readLoad: () =>
      Promise.resolve([
        {
          rank: 0,
          running: inFlight(0),
          queued: 0,
          queuedUncachedTokens: null,
          kvTokensUsed: null,
          kvTokens: null,
          prefillTokensPerS: null,
          decodeTokensPerS: null,
          acceptLength: null,
        },
      ]),
    abort: null,
    flush: null,
  };
}

/** As vLLM wants it: the last message of a chat is left open, and none is opened after it. */
export function openEnded(path: string, members: Readonly<Record<string, string>>): Record<string, string> {
  return { ...members, ...(path.includes('chat') ? { add_generation_prompt: 'false' } : {}) };
}
