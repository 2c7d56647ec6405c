import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { ApiKeyRecord, KeyStore } from '../../accounts/index.ts';
import { epochSeconds, MeridianError } from '../../core/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { actorOf, oneTenantOf } from './admin-identity.ts';

import { DEFAULT_LIMIT, listSchema, Page, pageObject } from './page-query.ts';

const Time = Type.Union([Type.Integer(), Type.Null()]);
const AdminKeyObject = Type.Object({
  object: Type.Literal('organization.admin_api_key'),
  id: Type.String(),
  name: Type.String(),
  redacted_value: Type.String(),
  created_at: Type.Integer(),
  last_used_at: Time,
  expires_at: Time,
  owner: Type.Object({ type: Type.String(), object: Type.String(), id: Type.String(), name: Type.String(), role: Type.String() }),
});
const CreatedAdminKey = Type.Object({ ...AdminKeyObject.properties, value: Type.String({ description: 'The key itself. Shown once, and kept nowhere.' }) });
const Deleted = Type.Object({ object: Type.Literal('organization.admin_api_key.deleted'), id: Type.String(), deleted: Type.Literal(true) });
const Body = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 200 }), expires_in_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 * 366 * 86_400 })) },
  { additionalProperties: false },
);
const KeyPage = Type.Object({ ...Page.properties, order: Type.Optional(Type.Enum(['asc'], { description: 'Oldest first, the only order there is.' })) }, { additionalProperties: false });
const Params = Type.Object({ id: Type.String() });

/** Keys of an organization's administrators, in OpenAI's shapes. They open /v1/organization/… for their organization, and nothing else. */
export function adminKeyRoutes(app: FastifyInstance, { keys, wallMs }: { readonly keys: KeyStore; readonly wallMs: () => number }): void {
  const tags = ['admin keys'];
  const path = '/v1/organization/admin_api_keys';
  const create = { summary: 'Create an admin key', tags, body: Body, response: { 200: CreatedAdminKey, ...ERRORS } };
  app.post<{ Body: Static<typeof Body> }>(path, { schema: create }, async (request) => {
    const { name, expires_in_seconds: inSeconds } = request.body;
    const expiresAtMs = inSeconds === undefined ? null : wallMs() + inSeconds * 1_000;
    const { record, secret } = await keys.create({ name, kind: 'admin', organization: oneTenantOf(request), expiresAtMs }, actorOf(request));
    return { ...adminKeyObject(record), value: secret };
  });

  const list = { summary: 'List admin keys', tags, querystring: KeyPage, response: { 200: listSchema(AdminKeyObject), ...ERRORS } };
  app.get<{ Querystring: Static<typeof KeyPage> }>(path, { schema: list }, async (request) => {
    const { after, limit = DEFAULT_LIMIT } = request.query;
    const { records, hasMore } = await keys.list({ after, limit, organization: oneTenantOf(request), kind: 'admin', isLiveOnly: true });
    return pageObject({ items: records, hasMore }, adminKeyObject);
  });

  const get = { summary: 'Retrieve an admin key', tags, params: Params, response: { 200: AdminKeyObject, ...ERRORS } };
  app.get<{ Params: Static<typeof Params> }>(`${path}/:id`, { schema: get }, async (request) => adminKeyObject(await adminKeyOf(request, keys)));

  const remove = { summary: 'Revoke an admin key', tags, params: Params, response: { 200: Deleted, ...ERRORS } };
  app.delete<{ Params: Static<typeof Params> }>(`${path}/:id`, { schema: remove }, async (request) => {
    const { id } = await adminKeyOf(request, keys);
    await keys.revoke(id, actorOf(request));
    return { object: 'organization.admin_api_key.deleted' as const, id, deleted: true as const };
  });
}

async function adminKeyOf(request: FastifyRequest<{ Params: Static<typeof Params> }>, keys: KeyStore): Promise<ApiKeyRecord> {
  const key = await keys.get(request.params.id);
  if (key !== null && key.kind === 'admin' && key.revokedAtMs === null && key.organization === oneTenantOf(request)) return key;
  throw new MeridianError('not_found', { param: 'key_id', message: `There is no admin key '${request.params.id}'.` });
}

function adminKeyObject({ id, name, hint, createdAtMs, lastUsedAtMs, expiresAtMs, organization }: ApiKeyRecord): Static<typeof AdminKeyObject> {
  return {
    object: 'organization.admin_api_key',
    id,
    name,
    redacted_value: hint,
    created_at: epochSeconds(createdAtMs),
    last_used_at: lastUsedAtMs === null ? null : epochSeconds(lastUsedAtMs),
    expires_at: expiresAtMs === null ? null : epochSeconds(expiresAtMs),
    owner: { type: 'service_account', object: 'organization.user', id: organization, name: organization, role: 'owner' },
  };
}
