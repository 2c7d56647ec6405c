import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { ApiKeyRecord } from '../../accounts/index.ts';
import { MeridianError, PRIORITIES } from '../../core/index.ts';
import { ChatCompletionBody } from '../bodies/chat-completion.ts';
import { CompletionBody } from '../bodies/completion.ts';
import { EmbeddingBody } from '../bodies/embedding.ts';
import type { Endpoint } from '../context.ts';
import type { GatewayDeps } from '../deps.ts';
import { serve } from '../pipeline.ts';
import { tooBusy } from '../stages/admit.ts';
import { authenticate } from '../stages/authenticate.ts';
import { answerHeaders } from '../answer-headers.ts';
import { receive } from '../stages/receive.ts';
import { limitPerAddress } from './address-limit.ts';
import { Answer, ERRORS, ModelList, ModelObject } from './answer-schemas.ts';
import { BalanceObject, balanceObject } from './balance-object.ts';

const NO_BODY = Buffer.alloc(0);

const INFERENCE = [
  { endpoint: 'chat.completions', path: '/chat/completions', body: ChatCompletionBody, summary: 'Create a chat completion' },
  { endpoint: 'completions', path: '/completions', body: CompletionBody, summary: 'Create a text completion' },
  { endpoint: 'embeddings', path: '/embeddings', body: EmbeddingBody, summary: 'Create embeddings' },
] as const;

/** What a client may say beside OpenAI's parameters; the pipeline checks it. */
const HintHeaders = Type.Object({
  'x-meridian-session': Type.Optional(Type.String({ description: 'Requests with the same one are kept together. 1 to 128 visible ASCII characters.' })),
  'x-meridian-priority': Type.Optional(Type.Enum([...PRIORITIES], { description: "At most the key's." })),
  'x-meridian-deadline-ms': Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000, description: 'How long it may wait at the edge.' })),
});

/** The OpenAI-compatible routes, under `/v1` and, as DeepSeek's base URL has it, without. */
export function publicRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  // Requests whose connections were cut are settled before what they are settled with is taken away.
  app.addHook('onClose', () => deps.active.idle());
  limitPerAddress(app, () => deps.options.limits.inFlightPerAddressMax);
  // When nobody is let in, no body is read.
  app.addHook('onRequest', (request, _reply, done) => done(deps.overload.refusesAll && request.method === 'POST' ? tooBusy(deps) : undefined));
  // Bodies are checked by the pipeline, on the client's own bytes; the schemas here are the documentation.
  app.setValidatorCompiler(() => () => true);
  for (const { endpoint, path, body, summary } of INFERENCE) {
    const handler = inference(endpoint, deps);
    const schema = { summary, tags: ['inference'], operationId: endpoint.replace('.', '_'), headers: HintHeaders, body, response: { 200: Answer, ...ERRORS } };
    app.post(`/v1${path}`, { schema }, handler);
    app.post(path, { schema: { hide: true } }, handler);
  }
  balanceRoutes(app, deps);
  const models = { summary: 'List models', tags: ['models'], operationId: 'list_models', response: { 200: ModelList, ...ERRORS } };
  const model = {
    summary: 'Retrieve a model',
    tags: ['models'],
    operationId: 'retrieve_model',
    params: Type.Object({ model: Type.String({ description: 'Name of the model.' }) }),
    response: { 200: ModelObject, ...ERRORS },
  };
  for (const [prefix, hide] of [['/v1', false], ['', true]] as const) {
    app.get(`${prefix}/models`, { schema: hide ? { hide } : models }, (request, reply) => listModels(request, reply, deps));
    app.get(`${prefix}/models/:model`, { schema: hide ? { hide } : model }, (request, reply) => getModel(request, reply, deps));
    // Names such as `deepseek-ai/DeepSeek-V3`, from clients that do not encode the slash.
    app.get(`${prefix}/models/*`, { schema: { hide: true } }, (request, reply) => getModel(request, reply, deps));
  }
}

/** DeepSeek's shape, at the paths its clients ask. */
function balanceRoutes(app: FastifyInstance, deps: GatewayDeps): void {
  const schema = { summary: 'The balance of the organization', tags: ['billing'], operationId: 'user_balance', response: { 200: BalanceObject, ...ERRORS } };
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<object> => {
    const { organization } = await keyOf(request, reply, deps);
    return balanceObject(await deps.desk.balance(organization));
  };
  app.get('/user/balance', { schema }, handler);
  app.get('/v1/user/balance', { schema: { hide: true } }, handler);
}

function inference(endpoint: Endpoint, deps: GatewayDeps) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack();
    const body = Buffer.isBuffer(request.body) ? request.body : NO_BODY;
    // `serve` answers every failure itself and never rejects.
    void serve(endpoint, request.headers, body, reply.raw, deps);
  };
}

async function listModels(request: FastifyRequest, reply: FastifyReply, deps: GatewayDeps): Promise<object> {
  const allowed = await modelsOf(request, reply, deps);
  return { object: 'list', data: [...deps.models.keys(), ...deps.aliases.keys()].filter(allowed).map(modelObject) };
}

async function getModel(request: FastifyRequest, reply: FastifyReply, deps: GatewayDeps): Promise<object> {
  const allowed = await modelsOf(request, reply, deps);
  const params = Object(request.params) as Readonly<Record<string, string>>;
  const name = params['model'] ?? params['*'] ?? '';
  if (!(deps.models.has(name) || deps.aliases.has(name)) || !allowed(name)) {
    throw new MeridianError('model_not_found', { param: 'model', message: `The model '${name}' does not exist.` });
  }
  return modelObject(name);
}

/** Which models the caller's key may use. */
async function modelsOf(request: FastifyRequest, reply: FastifyReply, deps: GatewayDeps): Promise<(model: string) => boolean> {
  const key = await keyOf(request, reply, deps);
  return (model) => key.models === null || key.models.includes(model);
}

/** Whose key it is; the answer gets the headers of every answer. */
async function keyOf(request: FastifyRequest, reply: FastifyReply, deps: GatewayDeps): Promise<ApiKeyRecord> {
  const received = receive('chat.completions', request.headers, NO_BODY, deps.clock);
  const shown = answerHeaders(received, deps);
  const key = await authenticate(request.headers, request.raw.socket.remoteAddress, null, deps);
  shown.organization = key.organization;
  void reply.headers(shown.read());
  return key;
}

function modelObject(id: string): object {
  return { id, object: 'model', created: 0, owned_by: 'meridian' };
}
