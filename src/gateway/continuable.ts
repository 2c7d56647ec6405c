import type { JsonObject } from './bodies/body-check.ts';
import type { Endpoint } from './context.ts';

/** Parameters that bind the answer to a grammar, or ask for what cannot be told twice. */
const BINDING = [
  'ebnf',
  'guided_choice',
  'guided_grammar',
  'guided_json',
  'guided_regex',
  'prompt_logprobs',
  'regex',
  'stop_regex',
  'structured_outputs',
  'suffix',
];

/** By what an answer could go on elsewhere after its first byte: not at all, by token ids only, or by its text as well. */
export type ContinuableBy = 'nothing' | 'tokens' | 'text';

/**
 * Answers that can: streams of one choice, of free text, without log probabilities. A tool call that has begun is seen when
 * the answer breaks off.
 */
export function continuableBy(endpoint: Endpoint, body: JsonObject): ContinuableBy {
  if (endpoint === 'embeddings' || body['stream'] !== true) return 'nothing';
  if ((body['n'] ?? 1) !== 1 || (body['best_of'] ?? 1) !== 1 || body['echo'] === true) return 'nothing';
  if (body['logprobs'] != null && body['logprobs'] !== false) return 'nothing';
  if (BINDING.some((name) => body[name] != null)) return 'nothing';
  if (endpoint === 'completions') return byPrompt(body['prompt']);
  return isFreeChat(body) ? 'text' : 'nothing';
}

/** Several prompts have several answers; text cannot be put after a prompt of ids. */
function byPrompt(prompt: unknown): ContinuableBy {
  if (typeof prompt === 'string') return 'text';
  return Array.isArray(prompt) && typeof prompt[0] === 'number' ? 'tokens' : 'nothing';
}

function isFreeChat({ response_format: format, tool_choice: choice, messages, continue_final_message: isOpen }: JsonObject): boolean {
  if (format != null && Reflect.get(Object(format), 'type') !== 'text') return false;
  if (choice != null && choice !== 'auto' && choice !== 'none') return false;
  const last: unknown = Array.isArray(messages) ? messages.at(-1) : null;
  // A message of the assistant at the end is either gone on with, or means something else to each engine.
  if (Reflect.get(Object(last), 'role') !== 'assistant') return true;
  return isOpen === true && typeof Reflect.get(Object(last), 'content') === 'string';
}
