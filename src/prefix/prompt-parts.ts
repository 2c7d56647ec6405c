/** Paths of OpenAI's API whose bodies hold a prompt. */
export type PromptPath = '/v1/chat/completions' | '/v1/completions' | '/v1/embeddings';

const MESSAGE = '\u0001';
const CONTENT = '\u0002';
const MORE = '\u0003';

/**
 * The prompt of a body in the order in which chat templates lay it out: tools, then each message's role and content. Only what
 * is the same in two bodies whose prompts begin alike may come first, and nothing of sampling.
 */
export function promptParts(path: PromptPath, body: Readonly<Record<string, unknown>>): string[] {
  switch (path) {
    case '/v1/chat/completions':
      return [json(body['tools']), ...list(body['messages']).flatMap(messageParts)];
    case '/v1/completions':
      // Of several prompts the first: each is a run of its own, and they go to one replica.
      return [json(firstOf(body['prompt']))];
    case '/v1/embeddings':
      return [json(body['input'])];
  }
}

/** An answer as the next prompt will hold it. */
export function answerParts(path: PromptPath, text: string): string[] {
  return path === '/v1/chat/completions' ? [`${MESSAGE}assistant${CONTENT}`, text] : [text];
}

function messageParts(message: unknown): string[] {
  if (typeof message !== 'object' || message === null) return [MESSAGE, json(message)];
  const { role, content, name, tool_calls: calls, tool_call_id: callId } = message as Record<string, unknown>;
  const parts = [`${MESSAGE}${json(role)}${CONTENT}`, ...contentParts(content)];
  const more = [name, calls, callId].filter((value) => value != null);
  return more.length === 0 ? parts : [...parts, MORE + more.map(json).join(MORE)];
}

function contentParts(content: unknown): string[] {
  if (!Array.isArray(content)) return [json(content)];
  return content.map((part: unknown) => {
    const text: unknown = Reflect.get(Object(part), 'text');
    return typeof text === 'string' ? text : json(part);
  });
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function firstOf(prompt: unknown): unknown {
  return Array.isArray(prompt) && (typeof prompt[0] === 'string' || Array.isArray(prompt[0])) ? prompt[0] : prompt;
}

/** Text as it is, nothing for what is absent, anything else as JSON. */
function json(value: unknown): string {
  if (typeof value === 'string') return value;
  return value == null ? '' : JSON.stringify(value);
}
