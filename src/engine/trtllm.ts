import type { EngineAdapter, InFlightCount } from './engine-adapter.ts';
import type { EngineClient } from './engine-client.ts';
import { fields, textOrNull } from './json-fields.ts';
import { openaiAdapter } from './openai.ts';
import type { Continuation } from '../openai/index.ts';

/** TensorRT-LLM's `trtllm-serve`: an OpenAI surface with a version and a health path; its load is what the daemon has given it. */
export function trtllmAdapter(client: EngineClient, inFlight: InFlightCount, continuation: () => Continuation = () => 'none'): EngineAdapter {
  const generic = openaiAdapter(client, inFlight, continuation);
  return {
    ...generic,
    kind: 'trtllm',
    readinessPath: '/health',
    async readInfo() {
      const [info, version] = await Promise.all([generic.readInfo(), client.json('/version')]);
      return { ...info, version: textOrNull(fields(version)['version']) };
    },
  };
}
