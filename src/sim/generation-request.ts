import { chatPrompt, type ChatMessage } from './chat-template.ts';
import { isObject, SimHttpError, type JsonObject } from './http-json.ts';
import { tokenize } from './tokenizer.ts';

const CHOICES_MAX = 8;
const PROMPTS_MAX = 64;
const ID_CHARS_MAX = 256;

/** A chat or text completion as asked, with its prompt in tokens. */
export interface GenerationRequest {
  readonly kind: 'chat' | 'text';
  readonly rid: string | null;
  readonly model: string;
  /** One for a chat; several for a list of text prompts. */
  readonly prompts: readonly (readonly number[])[];
  /** Answers per prompt. */
  readonly choices: number;
  /** Null: until the model ends or the context is full. */
  readonly maxTokens: number | null;
  readonly seed: number;
  readonly stops: readonly string[];
  readonly ignoreEnd: boolean;
  readonly streamed: boolean;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  readonly cacheSalt: string;
  readonly priority: number;
  readonly returnTokenIds: boolean;
  readonly returnPromptTokenIds: boolean;
  /** Alternatives per token; null: no log probabilities. */
  readonly logprobs: number | null;
  readonly form: AnswerForm;
}

export type AnswerForm =
  | { readonly kind: 'free' }
  | { readonly kind: 'json'; readonly schema: unknown }
  | { readonly kind: 'tool'; readonly name: string; readonly schema: unknown };

/** Reads a body of `/v1/chat/completions`; throws `SimHttpError`. Members it does not know are ignored. */
export function chatRequest(body: JsonObject, defaultModel: string, limitTokens: number): GenerationRequest {
  const given = idList(body['input_ids'], 'input_ids', limitTokens);
  const options = isObject(body['chat_template_kwargs']) ? body['chat_template_kwargs'] : {};
  const prompt =
    given ??
    chatPrompt({
      messages: messages(body['messages']),
      tools: Array.isArray(body['tools']) && body['tools'].length > 0 ? JSON.stringify(body['tools']) : '',
      thinking: options['thinking'] === true || options['enable_thinking'] === true,
      continueFinal: flag(body, 'continue_final_message') && lastRole(body['messages']) === 'assistant',
      limitTokens,
    });
  const maxName = body['max_completion_tokens'] == null ? 'max_tokens' : 'max_completion_tokens';
  return {
    ...shared(body, defaultModel),
    kind: 'chat',
    prompts: [prompt],
    maxTokens: optionalCount(body, maxName, 1),
    logprobs: flag(body, 'logprobs') ? (optionalCount(body, 'top_logprobs', 0) ?? 0) : null,
    form: answerForm(body),
  };
}

/** Reads a body of `/v1/completions`; throws `SimHttpError`. */
export function textRequest(body: JsonObject, defaultModel: string, limitTokens: number): GenerationRequest {
  return {
    ...shared(body, defaultModel),
    kind: 'text',
    prompts: textPrompts(body['input_ids'] ?? body['prompt'], 'prompt', limitTokens),
    maxTokens: optionalCount(body, 'max_tokens', 1) ?? 16,
    logprobs: optionalCount(body, 'logprobs', 0),
    form: { kind: 'free' },
  };
}

/** One or several prompts, as text or as token ids. */
export function textPrompts(value: unknown, param: string, limitTokens: number): number[][] {
  if (typeof value === 'string') return [nonEmpty(tokenize(value, [], limitTokens), param)];
  if (!Array.isArray(value) || value.length === 0) throw new SimHttpError(400, `${param} must be text or token ids.`, param);
  if (typeof value[0] === 'number') return [idList(value, param, limitTokens) ?? []];
  if (value.length > PROMPTS_MAX) throw new SimHttpError(400, `${param} may have at most ${PROMPTS_MAX} entries.`, param);
  return value.map((entry: unknown, i) => {
    if (typeof entry === 'string') return nonEmpty(tokenize(entry, [], limitTokens), `${param}[${i}]`);
    return idList(entry ?? 0, `${param}[${i}]`, limitTokens) ?? [];
  });
}

function shared(body: JsonObject, defaultModel: string) {
  const streamOptions = isObject(body['stream_options']) ? body['stream_options'] : {};
  const choices = optionalCount(body, 'n', 1) ?? 1;
  if (choices > CHOICES_MAX) throw new SimHttpError(400, `n may be at most ${CHOICES_MAX}.`, 'n');
  const continuousUsage = flag(streamOptions, 'continuous_usage_stats');
  return {
    rid: optionalText(body, 'rid'),
    model: optionalText(body, 'model') ?? defaultModel,
    choices,
    seed: optionalInteger(body, 'seed') ?? 0,
    stops: stopStrings(body['stop']),
    ignoreEnd: flag(body, 'ignore_eos'),
    streamed: flag(body, 'stream'),
    includeUsage: flag(streamOptions, 'include_usage'),
    continuousUsage,
    cacheSalt: optionalText(body, 'cache_salt') ?? '',
    priority: optionalInteger(body, 'priority') ?? 0,
    returnTokenIds: flag(body, 'return_token_ids'),
    returnPromptTokenIds: flag(body, 'return_prompt_token_ids'),
  };
}

function messages(value: unknown): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) throw new SimHttpError(400, 'messages must be a non-empty array.', 'messages');
  return value.map((entry: unknown, i) => {
    if (!isObject(entry) || typeof entry['role'] !== 'string') {
      throw new SimHttpError(400, `messages[${i}] must be an object with a role.`, `messages[${i}]`);
    }
    const extra = [entry['tool_calls'], entry['tool_call_id']].filter((member) => member != null);
    return {
      role: entry['role'],
      content: contentText(entry['content'], `messages[${i}].content`),
      extra: extra.length === 0 ? '' : JSON.stringify(extra),
    };
  });
}

function contentText(value: unknown, param: string): string {
  if (value == null) return '';
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) throw new SimHttpError(400, `${param} must be text or an array of parts.`, param);
  return value.map((part: unknown) => (isObject(part) && typeof part['text'] === 'string' ? part['text'] : JSON.stringify(part))).join('');
}

function lastRole(value: unknown): unknown {
  const last: unknown = Array.isArray(value) ? value.at(-1) : null;
  return isObject(last) ? last['role'] : null;
}

function answerForm(body: JsonObject): AnswerForm {
  const choice = body['tool_choice'];
  const tools: unknown[] = Array.isArray(body['tools']) ? body['tools'] : [];
  const functions = tools.flatMap((tool) => (isObject(tool) && isObject(tool['function']) ? [tool['function']] : []));
  if (choice === 'required' || isObject(choice)) {
    const named = isObject(choice) && isObject(choice['function']) ? choice['function']['name'] : undefined;
    const chosen = named === undefined ? functions[0] : functions.find((one) => one['name'] === named);
    if (chosen === undefined || typeof chosen['name'] !== 'string') {
      throw new SimHttpError(400, 'tool_choice names no function of tools.', 'tool_choice');
    }
    return { kind: 'tool', name: chosen['name'], schema: chosen['parameters'] };
  }
  const format = body['response_format'];
  if (!isObject(format)) return { kind: 'free' };
  if (format['type'] === 'json_object') return { kind: 'json', schema: null };
  if (format['type'] !== 'json_schema') return { kind: 'free' };
  return { kind: 'json', schema: isObject(format['json_schema']) ? format['json_schema']['schema'] : null };
}

function stopStrings(value: unknown): string[] {
  if (value == null) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((stop) => {
    if (typeof stop !== 'string') throw new SimHttpError(400, 'stop must be text or an array of texts.', 'stop');
    return stop;
  }).filter((stop) => stop !== '');
}

function idList(value: unknown, param: string, limitTokens: number): number[] | null {
  if (value == null) return null;
  const isIds = Array.isArray(value) && value.every((id) => Number.isInteger(id) && id >= 0 && id < 0x8000_0000);
  if (!isIds) throw new SimHttpError(400, `${param} must be an array of token ids.`, param);
  return nonEmpty((value as number[]).slice(0, limitTokens + 1), param);
}

function nonEmpty(tokens: number[], param: string): number[] {
  if (tokens.length === 0) throw new SimHttpError(400, `${param} must not be empty.`, param);
  return tokens;
}

function flag(body: JsonObject, name: string): boolean {
  const value = body[name];
  if (value != null && typeof value !== 'boolean') throw new SimHttpError(400, `${name} must be true or false.`, name);
  return value === true;
}

function optionalText(body: JsonObject, name: string): string | null {
  const value = body[name];
  if (value == null) return null;
  if (typeof value !== 'string' || value.length > ID_CHARS_MAX) {
    throw new SimHttpError(400, `${name} must be text of at most ${ID_CHARS_MAX} characters.`, name);
  }
  return value;
}

function optionalInteger(body: JsonObject, name: string): number | null {
  const value = body[name];
  if (value == null) return null;
  if (!Number.isSafeInteger(value)) throw new SimHttpError(400, `${name} must be a whole number.`, name);
  return Number(value);
}

function optionalCount(body: JsonObject, name: string, least: number): number | null {
  const value = optionalInteger(body, name);
  if (value !== null && value < least) throw new SimHttpError(400, `${name} must be at least ${least}.`, name);
  return value;
}
