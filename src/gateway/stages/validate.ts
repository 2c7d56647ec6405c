import type { ApiKeyRecord } from '../../accounts/index.ts';
import { MeridianError } from '../../core/index.ts';
import { editMembers } from '../../openai/index.ts';
import { bodyCheck, type BodyCheck, type JsonObject } from '../bodies/body-check.ts';
import { ChatCompletionBody } from '../bodies/chat-completion.ts';
import { CompletionBody } from '../bodies/completion.ts';
import { EmbeddingBody } from '../bodies/embedding.ts';
import { parseBody } from '../bodies/parse-body.ts';
import { promptChain } from '../../prefix/index.ts';
import { continuableBy } from '../continuable.ts';
import type { Ask, Endpoint, ReceivedRequest } from '../context.ts';
import { PATHS } from '../engine-paths.ts';
import type { GatewayDeps } from '../deps.ts';
import { versionOf } from '../model-alias.ts';
import type { ModelOptions } from '../options.ts';
import { promptsOf, promptTokensMax } from '../prompt-bound.ts';
import { requestHints, type RequestHints } from '../request-hints.ts';

const CHECKS: Readonly<Record<Endpoint, BodyCheck>> = {
  'chat.completions': bodyCheck(ChatCompletionBody),
  completions: bodyCheck(CompletionBody),
  embeddings: bodyCheck(EmbeddingBody),
};

/** No tokenizer packs more bytes of ordinary text than this into a token: below it a prompt surely does not fit. */
const BYTES_PER_TOKEN_MAX = 16;

/** Checks what the client asks: shape, fields, model, context. Throws the error that names the parameter at fault. */
export function validate(
  request: ReceivedRequest,
  key: ApiKeyRecord,
  deps: Pick<GatewayDeps, 'models' | 'aliases' | 'tokenRatio' | 'options' | 'cacheSalt'>,
): Ask {
  const body = parseBody(request.body, deps.options.limits.jsonDepthMax);
  CHECKS[request.endpoint](body);
  const hints = requestHints(request.headers, body['prompt_cache_key'], key);
  const asked = String(body['model']);
  const model = modelOf(asked, hints, body, key, deps);
  const options = findModel(asked, model, key, deps.models);
  refuseOversize(body, request.body.length, options);
  const streamOptions = body['stream_options'];
  if (streamOptions != null && body['stream'] !== true) {
    throw new MeridianError('invalid_value', {
      param: 'stream_options',
      message: "The parameter 'stream_options' is only allowed when 'stream' is true.",
    });
  }
  const prompt = promptChain(PATHS[request.endpoint], body, { salt: deps.cacheSalt(key.organization), model: options.servedAs ?? model });

  return {
    model,
    streamed: body['stream'] === true,
    hints,
    usageAsked: Reflect.get(Object(streamOptions), 'include_usage') === true,
    promptTokensEstimate: deps.tokenRatio.estimate(model, prompt.kind, prompt.bytes),
    promptTokensMax: promptTokensMax(request.endpoint, body, request.body.length, options.contextTokens),
    prompt,
    outputTokensMax: outputTokensMax(body),
    answersMax: answersMax(request.endpoint, body),
    continuableBy: continuableBy(request.endpoint, body),
    stops: [body['stop'] ?? []].flat().map(String),
    body: servedBody(request.body, asked, options.servedAs ?? model),
  };
}

/** The client's bound on the answer, by either of its names; by the larger one where it has both, since engines differ in which they take. */
function outputTokensMax(body: JsonObject): number | null {
  const asked = [body['max_completion_tokens'], body['max_tokens']].filter((tokens) => typeof tokens === 'number');
  return asked.length === 0 ? null : Math.max(...asked);
}

/** Each prompt of a list is answered as often as one alone. An embedding writes nothing. */
function answersMax(endpoint: Endpoint, body: JsonObject): number {
  if (endpoint === 'embeddings') return 0;
  const { n, best_of: bestOf } = body;
  return promptsOf(endpoint, body) * Math.max(Number(n ?? 1), Number(bestOf ?? 1));
}

/** The model itself, where the client asked for one by an alias. */
function modelOf(asked: string, { session }: RequestHints, body: JsonObject, key: ApiKeyRecord, { aliases }: Pick<GatewayDeps, 'aliases'>): string {
  const alias = aliases.get(asked);
  if (alias === undefined) return asked;
  const { messages, prompt } = body;
  const begins: unknown = Array.isArray(messages) ? messages.find((message: unknown) => Reflect.get(Object(message), 'role') === 'user') : prompt;
  return versionOf(asked, alias, session ?? `${key.id}\0${JSON.stringify(begins) ?? ''}`);
}

function findModel(asked: string, model: string, key: ApiKeyRecord, models: ReadonlyMap<string, ModelOptions>): ModelOptions {
  const options = models.get(model);
  if (options === undefined) {
    const message = `The model '${asked.slice(0, 200)}' does not exist; see /v1/models for those that do.`;
    throw new MeridianError('model_not_found', { param: 'model', message });
  }
  if (key.models !== null && !key.models.includes(asked) && !key.models.includes(model)) {
    throw new MeridianError('permission_denied', { param: 'model', message: `This API key may not use the model '${asked}'.` });
  }
  return options;
}

function refuseOversize(body: JsonObject, bodyBytes: number, model: ModelOptions): void {
  for (const param of ['max_completion_tokens', 'max_tokens']) {
    const asked = body[param];
    if (typeof asked !== 'number' || asked <= model.outputTokensMax) continue;
    const message = `'${param}' is too large: ${asked}. This model writes at most ${model.outputTokensMax} tokens.`;
    throw new MeridianError('invalid_value', { param, message });
  }
  if (bodyBytes <= model.contextTokens * BYTES_PER_TOKEN_MAX) return;
  const message = `This model's maximum context length is ${model.contextTokens} tokens; the prompt is far longer.`;
  throw new MeridianError('context_length_exceeded', { param: 'messages', message });
}

function servedBody(body: Buffer, asked: string, served: string): Buffer {
  if (asked === served) return body;
  return editMembers(body, { model: JSON.stringify(served) }) ?? body;
}
