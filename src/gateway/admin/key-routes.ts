import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import type { ApiKeyRecord } from '../../accounts/index.ts';
import { MeridianError, PRIORITIES } from '../../core/index.ts';
import type { AdminDeps } from './admin-routes.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { DEFAULT_LIMIT, Page, type PageQuery } from './page-query.ts';

const Names = Type.Union([Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }), Type.Null()]);

const END_OF_9999_S = 253_402_300_799;
const Time = Type.Union([Type.Integer({ minimum: 0, maximum: END_OF_9999_S }), Type.Null()], { description: 'Seconds since the epoch.' });

const PriorityMax = Type.Enum([...PRIORITIES], { description: 'The highest class that its requests may ask for.' });
const Tenant = (what: string) => Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: what });

const NewKeyBody = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    regions: Type.Optional(Names),
    models: Type.Optional(Names),
    organization: Type.Optional(Tenant('Whose key it is; org_default without it.')),
    project: Type.Optional(Tenant('proj_default without it.')),
    priority_max: Type.Optional(PriorityMax),
    expires_at: Type.Optional(Time),
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
const KeyParams = Type.Object({ id: Type.String() });

/** API keys: made, listed, revoked. */
export function keyRoutes(app: FastifyInstance, { keys, models, aliases }: Pick<AdminDeps, 'keys' | 'models' | 'aliases'>): void {
  const tags = ['keys'];
  const known = [...models.keys(), ...aliases.keys()];
  const create = { summary: 'Create an API key', tags, body: NewKeyBody, response: { 201: CreatedKey, ...ERRORS } };
  app.post<{ Body: Static<typeof NewKeyBody> }>('/admin/v1/keys', { schema: create }, (request, reply) => {
    const { name, regions, models: wanted, organization, project, priority_max: priorityMax, expires_at: expiresAt } = request.body;
    const stranger = wanted?.find((model) => !known.includes(model));
    if (stranger !== undefined) {
      const message = `There is no model '${stranger}'; this gateway has ${known.join(', ')}.`;
      throw new MeridianError('invalid_value', { param: 'models', message });
    }
    const expiresAtMs = expiresAt == null ? null : expiresAt * 1000;
    const { record, secret } = keys.create({ name, regions, models: wanted, organization, project, priorityMax, expiresAtMs });
    void reply.status(201);
    return { ...keyObject(record), key: secret };
  });

  const list = { summary: 'List API keys', tags, querystring: Page, response: { 200: KeyList, ...ERRORS } };
  app.get<{ Querystring: PageQuery }>('/admin/v1/keys', { schema: list }, (request) => {
    const { after, limit = DEFAULT_LIMIT } = request.query;
    const { records, hasMore } = keys.list({ after, limit });
    return { object: 'list', data: records.map(keyObject), has_more: hasMore };
  });

  const revoke = { summary: 'Revoke an API key', tags, params: KeyParams, response: { 200: KeyObject, ...ERRORS } };
  app.delete<{ Params: Static<typeof KeyParams> }>('/admin/v1/keys/:id', { schema: revoke }, (request) => {
    const record = keys.revoke(request.params.id);
    if (record === null) throw new MeridianError('not_found', { message: `There is no key '${request.params.id}'.`, param: 'id' });
    return keyObject(record);
  });
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
    priority_max: key.priorityMax,
    created_at: Math.floor(key.createdAtMs / 1000),
    expires_at: seconds(key.expiresAtMs),
    revoked_at: seconds(key.revokedAtMs),
    last_used_at: seconds(key.lastUsedAtMs),
  };
}

function seconds(timeMs: number | null): number | null {
  return timeMs === null ? null : Math.floor(timeMs / 1000);
}
