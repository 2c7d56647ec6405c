import type { JsonObject } from './bodies/body-check.ts';
import type { Endpoint } from './context.ts';

/** A token is a byte of the prompt at the least, and a body has more bytes than its prompt; what a chat template adds at its ends is less than this. */
const TEMPLATE_TOKENS = 512;

/** Prompts that are answered each for itself: one, or as many as are in a list of texts or of token ids. */
export function promptsOf(endpoint: Endpoint, { prompt, input }: JsonObject): number {
  if (endpoint === 'chat.completions') return 1;
  const list = endpoint === 'embeddings' ? input : prompt;
  return Array.isArray(list) && typeof list[0] !== 'number' ? list.length : 1;
}

/** Tokens that all prompts of a body together have at the most. What is not text may be any number of tokens that the context holds. */
export function promptTokensMax(endpoint: Endpoint, body: JsonObject, bodyBytes: number, contextTokens: number): number {
  const contexts = promptsOf(endpoint, body) * contextTokens;
  return isText(body) ? Math.min(bodyBytes + TEMPLATE_TOKENS, contexts) : contexts;
}

function isText({ messages }: JsonObject): boolean {
  if (!Array.isArray(messages)) return true;
  return messages.every((message: unknown) => {
    const content: unknown = Reflect.get(Object(message), 'content');
    return !Array.isArray(content) || content.every((part: unknown) => ['text', 'refusal'].includes(Reflect.get(Object(part), 'type')));
  });
}
