import { TEXT_TOKENS_DEFAULT, type Continuation, type Resume } from '../openai/index.ts';
import { fields } from './json-fields.ts';

const CHAT_PATH = '/v1/chat/completions';
/** Ends the reasoning in what DeepSeek's models write. */
const REASONING_END = '</think>';

/**
 * The members of a request that make an engine go on with an answer instead of beginning one: the prompt with what was
 * delivered, and bounds that count what was delivered. From token ids where the engine takes them and there are any, else
 * from the text.
 */
export function resumedMembers(body: Buffer, path: string, resume: Resume, by: Exclude<Continuation, 'none'>): Record<string, string> {
  const request = fields(JSON.parse(body.toString()));
  const ids = by === 'tokens' && resume.ids !== null ? [...resume.ids.prompt, ...resume.ids.delivered] : null;
  const bounds = remainingBounds(request, path, resume.tokens);
  if (ids !== null) return { ...bounds, [path === CHAT_PATH ? 'input_ids' : 'prompt']: JSON.stringify(ids) };
  if (path !== CHAT_PATH) return { ...bounds, prompt: JSON.stringify(`${String(request['prompt'])}${resume.text}`) };
  return { ...bounds, messages: JSON.stringify(continuedMessages(request['messages'], writtenText(resume))), continue_final_message: 'true' };
}

function remainingBounds(request: Readonly<Record<string, unknown>>, path: string, delivered: number): Record<string, string> {
  const bounds: Record<string, string> = {};
  for (const name of ['max_tokens', 'max_completion_tokens', 'min_tokens']) {
    const asked = request[name];
    if (typeof asked === 'number') bounds[name] = String(Math.max(name === 'min_tokens' ? 0 : 1, asked - delivered));
  }
  if (path !== CHAT_PATH && bounds['max_tokens'] === undefined) bounds['max_tokens'] = String(Math.max(1, TEXT_TOKENS_DEFAULT - delivered));
  return bounds;
}

/** The answer so far as the model wrote it: its chat template has opened the reasoning already. */
function writtenText({ reasoning, text }: Resume): string {
  return reasoning === '' || text === '' ? reasoning + text : `${reasoning}${REASONING_END}${text}`;
}

/** A client may itself have asked to go on with a message of the assistant: then that one grows. */
function continuedMessages(messages: unknown, written: string): unknown[] {
  const all: unknown[] = Array.isArray(messages) ? messages : [];
  const last = fields(all.at(-1));
  if (last['role'] !== 'assistant' || typeof last['content'] !== 'string') return [...all, { role: 'assistant', content: written }];
  return [...all.slice(0, -1), { ...last, content: last['content'] + written }];
}
