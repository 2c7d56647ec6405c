import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import type { ApiKeyRecord, KeyChange } from '../../accounts/index.ts';
import { epochSeconds, MeridianError, PRIORITIES } from '../../core/index.ts';
import type { AdminDeps } from './admin-routes.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { actorOf } from './admin-identity.ts';
import { bodyOrNothing } from './body-or-nothing.ts';
import { LimitsBody, limitsObject, LimitsObject, limitsOf } from './limit-fields.ts';
import { DEFAULT_LIMIT, Page, type PageQuery } from './page-query.ts';

const Names = Type.Union([Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }), Type.Null()]);

const END_OF_9999_S = 253_402_300_799;
const Time = Type.Union([Type.Integer({ minimum: 0, maximum: END_OF_9999_S }), Type.Null()], { description: 'Seconds since the epoch.' });

const PriorityMax = Type.Enum([...PRIORITIES], { description: 'The highest class that its requests may ask for.' });
const Tenant = (what: string) => Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: what });

const Networks = Type.Union([Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 100 }), Type.Null()], { description: 'Networks it may be used from, as 10.0.0.0/8; null: anywhere.' });
const Scopes = Type.Array(Type.Enum(['inference', 'chat.completions', 'completions', 'embeddings']), { minItems: 1, description: 'inference, which is all endpoints, or some of them.' });

const CHANGEABLE = {
  regions: Type.Optional(Names),
  models: Type.Optional(Names),
  scopes: Type.Optional(Scopes),
  networks: Type.Optional(Networks),
  limits: Type.Optional(LimitsBody),
  expires_at: Type.Optional(Time),
  clamp_max_tokens: Type.Optional(Type.Boolean({ description: 'Where credit or a budget has too little left for an answer of full length, ask for a shorter one instead of refusing.' })),
};

const NewKeyBody = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    ...CHANGEABLE,
    organization: Type.Optional(Tenant('Whose key it is; org_default without it.')),
    project: Type.Optional(Tenant('proj_default without it.')),
    priority_max: Type.Optional(PriorityMax),
  },
  { additionalProperties: false },
);

const KeyObject = Type.Object({
  object: Type.Literal('api_key'),
  id: Type.String(),
  name: Type.String(),
  redacted_value: Type.String(),
  organization: Type.String(),
  project: Type.String(),
  regions: Names,
  models: Names,
  scopes: Type.Array(Type.String()),
  networks: Networks,
  limits: LimitsObject,
  clamp_max_tokens: Type.Boolean(),
  service_account: Type.Union([Type.String(), Type.Null()]),
  replaces: Type.Union([Type.String(), Type.Null()], { description: 'The key that it was made in place of.' }),
  priority_max: PriorityMax,
  created_at: Type.Integer(),
  expires_at: Time,
  revoked_at: Time,
  last_used_at: Time,
});

const CreatedKey = Type.Object({
  ...KeyObject.properties,
  key: Type.String({ description: 'The key itself. Shown once, and kept nowhere.' }),
});

const KeyList = Type.Object({ object: Type.Literal('list'), data: Type.Array(KeyObject), has_more: Type.Boolean() });
const KeyChangeBody = Type.Object({ name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })), ...CHANGEABLE }, { additionalProperties: false });
const RotateBody = Type.Object(
  { grace_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 366 * 86_400, description: 'How long the old key stays good; a day without it.' })) },
  { additionalProperties: false },
);
const DAY_S = 86_400;
const KeyParams = Type.Object({ id: Type.String() });

/** API keys: made, listed, revoked. */
export function keyRoutes(app: FastifyInstance, deps: Pick<AdminDeps, 'keys' | 'models' | 'aliases'>): void {
  const tags = ['keys'];
  const { keys } = deps;
  const known = (): readonly string[] => [...deps.models.keys(), ...deps.aliases.keys()];
  const create = { summary: 'Create an API key', tags, body: NewKeyBody, response: { 201: CreatedKey, ...ERRORS } };
  app.post<{ Body: Static<typeof NewKeyBody> }>('/admin/v1/keys', { schema: create }, async (request, reply) => {
    const { name, organization, project, priority_max: priorityMax } = request.body;
    const { record, secret } = await keys.create({ name, organization, project, priorityMax, ...changes(request.body, known()) }, actorOf(request));
    void reply.status(201);
    return { ...keyObject(record), key: secret };
  });

  const list = { summary: 'List API keys', tags, querystring: Page, response: { 200: KeyList, ...ERRORS } };
  app.get<{ Querystring: PageQuery }>('/admin/v1/keys', { schema: list }, async (request) => {
    const { after, limit = DEFAULT_LIMIT } = request.query;
    const { records, hasMore } = await keys.list({ after, limit });
    return { object: 'list', data: records.map(keyObject), has_more: hasMore };
  });

  const get = { summary: 'Retrieve an API key', tags, params: KeyParams, response: { 200: KeyObject, ...ERRORS } };
  app.get<{ Params: Static<typeof KeyParams> }>('/admin/v1/keys/:id', { schema: get }, async (request) => {
    const record = await keys.get(request.params.id);
    if (record === null) throw new MeridianError('not_found', { message: `There is no key '${request.params.id}'.`, param: 'id' });
    return keyObject(record);
  });

  const change = { summary: 'Change an API key', tags, params: KeyParams, body: KeyChangeBody, response: { 200: KeyObject, ...ERRORS } };
  app.post<{ Params: Static<typeof KeyParams>; Body: Static<typeof KeyChangeBody> }>('/admin/v1/keys/:id', { schema: change }, async (request) =>
    keyObject(await keys.update(request.params.id, { name: request.body.name, ...changes(request.body, known()) }, actorOf(request))),
  );

  const rotate = { summary: 'Put a new API key in the place of an old one', tags, params: KeyParams, body: RotateBody, response: { 201: CreatedKey, ...ERRORS } };
  app.post<{ Params: Static<typeof KeyParams>; Body: Static<typeof RotateBody> }>('/admin/v1/keys/:id/rotate', { schema: rotate, preValidation: bodyOrNothing }, async (request, reply) => {
    const { record, secret } = await keys.rotate(request.params.id, (request.body.grace_seconds ?? DAY_S) * 1_000, actorOf(request));
    void reply.status(201);
    return { ...keyObject(record), key: secret };
  });

  const revoke = { summary: 'Revoke an API key', tags, params: KeyParams, response: { 200: KeyObject, ...ERRORS } };
  app.delete<{ Params: Static<typeof KeyParams> }>('/admin/v1/keys/:id', { schema: revoke }, async (request) => {
    const record = await keys.revoke(request.params.id, actorOf(request));
    if (record === null) throw new MeridianError('not_found', { message: `There is no key '${request.params.id}'.`, param: 'id' });
    return keyObject(record);
  });
}

/** What a body says of the fields that can be changed. Throws `invalid_value` for a model that is not known. */
function changes(body: Static<typeof KeyChangeBody>, known: readonly string[]): Omit<KeyChange, 'name'> {
  const { regions, models, scopes, networks, limits, expires_at: expiresAt, clamp_max_tokens: clampsOutput } = body;
  const stranger = models?.find((model) => !known.includes(model));
  if (stranger !== undefined) {
    const message = `There is no model '${stranger}'; this gateway has ${known.join(', ')}.`;
    throw new MeridianError('invalid_value', { param: 'models', message });
  }
  const expiresAtMs = typeof expiresAt === 'number' ? expiresAt * 1_000 : expiresAt;
  return { regions, models, scopes, networks, limits: limits === undefined ? undefined : limitsOf(limits), expiresAtMs, clampsOutput };
}

function keyObject(key: ApiKeyRecord): Static<typeof KeyObject> {
  return {
    object: 'api_key',
    id: key.id,
    name: key.name,
    redacted_value: key.hint,
    organization: key.organization,
    project: key.project,
    regions: key.regions === null ? null : [...key.regions],
    models: key.models === null ? null : [...key.models],
    scopes: [...key.scopes],
    networks: key.networks === null ? null : [...key.networks],
    limits: limitsObject(key.limits.key),
    clamp_max_tokens: key.clampsOutput,
    service_account: key.serviceAccount,
    replaces: key.replaces,
    priority_max: key.priorityMax,
    created_at: epochSeconds(key.createdAtMs),
    expires_at: epochSeconds(key.expiresAtMs),
    revoked_at: epochSeconds(key.revokedAtMs),
    last_used_at: epochSeconds(key.lastUsedAtMs),
  };
}
