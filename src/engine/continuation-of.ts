import type { Continuation } from '../openai/index.ts';
import type { EngineInfo } from './engine-adapter.ts';
import type { EngineKind } from './engine-kind.ts';

/** What an operator says of an engine; `auto` goes by its kind and by what it tells of itself. */
export type ContinuationSetting = 'auto' | Continuation;

/**
 * How an engine can go on with an answer that another one began. SGLang does from the text of the last message, and from
 * token ids where it tells them along a stream; vLLM does from the text. Of an unknown OpenAI-compatible engine nothing is known: one that ignored what
 * is asked would begin anew in the middle.
 */
export function continuationOf(setting: ContinuationSetting, kind: EngineKind, info: Pick<EngineInfo, 'tellsTokenIds'> | null): Continuation {
  if (setting !== 'auto') return setting;
  if (kind === 'openai' || kind === 'trtllm') return 'none';
  if (kind === 'vllm') return 'text';
  return info?.tellsTokenIds === true ? 'tokens' : 'text';
}
