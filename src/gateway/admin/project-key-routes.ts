import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { ApiKeyRecord, KeyStore, ServiceAccount, TenantStore } from '../../accounts/index.ts';
import { epochSeconds, MeridianError } from '../../core/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { actorOf } from './admin-identity.ts';

import { DEFAULT_LIMIT, listSchema, Page, pageObject, type PageQuery } from './page-query.ts';
import { projectOf } from './project-routes.ts';

export interface ProjectKeyDeps {
  readonly tenants: TenantStore;
  readonly keys: KeyStore;
}

const Name = Type.String({ minLength: 1, maxLength: 200 });
const Time = Type.Union([Type.Integer(), Type.Null()]);

const AccountObject = Type.Object({
  object: Type.Literal('organization.project.service_account'),
  id: Type.String(),
  name: Type.String(),
  role: Type.Literal('member'),
  created_at: Type.Integer(),
});
const NewKeyObject = Type.Object({
  object: Type.Literal('organization.project.service_account.api_key'),
  id: Type.String(),
  name: Type.String(),
  created_at: Type.Integer(),
  value: Type.String({ description: 'The key itself. Shown once, and kept nowhere.' }),
});
const CreatedAccount = Type.Object({ ...AccountObject.properties, api_key: NewKeyObject });
const DeletedObject = (object: string) => Type.Object({ object: Type.Literal(object), id: Type.String(), deleted: Type.Literal(true) });

const Owner = Type.Object({
  type: Type.String(),
  service_account: Type.Optional(Type.Object({ id: Type.String(), name: Type.String(), role: Type.String(), created_at: Type.Integer() })),
});
const KeyObject = Type.Object({
  object: Type.Literal('organization.project.api_key'),
  id: Type.String(),
  name: Type.String(),
  redacted_value: Type.String(),
  created_at: Type.Integer(),
  last_used_at: Time,
  expires_at: Time,
  scopes: Type.Array(Type.String()),
  owner: Owner,
  owner_project_access: Type.Literal('active'),
});
const CreatedKeyObject = Type.Object({ ...KeyObject.properties, value: Type.String({ description: 'The key itself. Shown once, and kept nowhere.' }) });

const Scopes = Type.Optional(Type.Array(Type.Enum(['inference', 'chat.completions', 'completions', 'embeddings']), { minItems: 1 }));
const Seconds = Type.Optional(Type.Integer({ minimum: 1, maximum: 10 * 366 * 86_400 }));
const NameBody = Type.Object({ name: Name }, { additionalProperties: false });
const NewKeyBody = Type.Object({ name: Name, scopes: Scopes, expires_in_seconds: Seconds }, { additionalProperties: false });
const KeyChangeBody = Type.Object({ name: Type.Optional(Name), scopes: Scopes, expires_in_seconds: Seconds }, { additionalProperties: false });
const KeyPage = Type.Object({ ...Page.properties, owner_project_access: Type.Optional(Type.Enum(['active', 'inactive', 'any'])) }, { additionalProperties: false });
const Params = Type.Object({ project: Type.String() });
const ItemParams = Type.Object({ project: Type.String(), id: Type.String() });

type InProject = { Params: Static<typeof Params> };
type Item = { Params: Static<typeof ItemParams> };

/** Service accounts and API keys of a project, in OpenAI's shapes; keys can be made here too. */
export function projectKeyRoutes(app: FastifyInstance, deps: ProjectKeyDeps & { readonly wallMs: () => number }): void {
  serviceAccountRoutes(app, deps);
  const { tenants, keys, wallMs } = deps;
  const tags = ['projects'];
  const path = '/v1/organization/projects/:project/api_keys';
  const expiry = (inSeconds: number | undefined): number | undefined => (inSeconds === undefined ? undefined : wallMs() + inSeconds * 1_000);
  const show = async (key: ApiKeyRecord): Promise<Static<typeof KeyObject>> => keyObject(key, key.serviceAccount === null ? null : await tenants.serviceAccount(key.serviceAccount));

  const list = { summary: 'List the API keys of a project', tags, params: Params, querystring: KeyPage, response: { 200: listSchema(KeyObject), ...ERRORS } };
  app.get<InProject & { Querystring: Static<typeof KeyPage> }>(path, { schema: list }, async (request) => {
    const { id: project } = await projectOf(request, request.params.project, tenants);
    const { after, limit = DEFAULT_LIMIT } = request.query;
    const { records, hasMore } = await keys.list({ after, limit, project, kind: 'live', isLiveOnly: true });
    return pageObject({ items: await Promise.all(records.map(show)), hasMore }, (shown) => shown);
  });

  const create = { summary: 'Create an API key of a project', tags, params: Params, body: NewKeyBody, response: { 200: CreatedKeyObject, ...ERRORS } };
  app.post<InProject & { Body: Static<typeof NewKeyBody> }>(path, { schema: create }, async (request) => {
    const { id: project, organization } = await projectOf(request, request.params.project, tenants);
    const { name, scopes, expires_in_seconds: inSeconds } = request.body;
    const { record, secret } = await keys.create({ name, organization, project, scopes, expiresAtMs: expiry(inSeconds) }, actorOf(request));
    return { ...(await show(record)), value: secret };
  });

  const one = { 200: KeyObject, ...ERRORS };
  app.get<Item>(`${path}/:id`, { schema: { summary: 'Retrieve an API key of a project', tags, params: ItemParams, response: one } }, async (request) => show(await keyOf(request, deps)));

  const change = { summary: 'Change an API key of a project', tags, params: ItemParams, body: KeyChangeBody, response: one };
  app.post<Item & { Body: Static<typeof KeyChangeBody> }>(`${path}/:id`, { schema: change }, async (request) => {
    const { name, scopes, expires_in_seconds: inSeconds } = request.body;
    return show(await keys.update((await keyOf(request, deps)).id, { name, scopes, expiresAtMs: expiry(inSeconds) }, actorOf(request)));
  });

  const remove = { summary: 'Revoke an API key of a project', tags, params: ItemParams, response: { 200: DeletedObject('organization.project.api_key.deleted'), ...ERRORS } };
  app.delete<Item>(`${path}/:id`, { schema: remove }, async (request) => {
    const { id } = await keyOf(request, deps);
    await keys.revoke(id, actorOf(request));
    return { object: 'organization.project.api_key.deleted', id, deleted: true as const };
  });
}

function serviceAccountRoutes(app: FastifyInstance, { tenants, keys }: ProjectKeyDeps): void {
  const tags = ['projects'];
  const path = '/v1/organization/projects/:project/service_accounts';
  const list = { summary: 'List the service accounts of a project', tags, params: Params, querystring: Page, response: { 200: listSchema(AccountObject), ...ERRORS } };
  app.get<InProject & { Querystring: PageQuery }>(path, { schema: list }, async (request) => {
    const { id } = await projectOf(request, request.params.project, tenants);
    const { after, limit = DEFAULT_LIMIT } = request.query;
    return pageObject(await tenants.serviceAccounts(id, { after, limit }), accountObject);
  });

  const create = { summary: 'Create a service account, with a key of its own', tags, params: Params, body: NameBody, response: { 200: CreatedAccount, ...ERRORS } };
  app.post<InProject & { Body: Static<typeof NameBody> }>(path, { schema: create }, async (request) => {
    const { id: project, organization } = await projectOf(request, request.params.project, tenants);
    const account = await tenants.createServiceAccount({ project, name: request.body.name }, actorOf(request));
    const { record, secret } = await keys.create({ name: account.name, organization, project, serviceAccount: account.id }, actorOf(request));
    const key = { object: 'organization.project.service_account.api_key' as const, id: record.id, name: record.name, created_at: epochSeconds(record.createdAtMs), value: secret };
    return { ...accountObject(account), api_key: key };
  });

  const get = { summary: 'Retrieve a service account', tags, params: ItemParams, response: { 200: AccountObject, ...ERRORS } };
  app.get<Item>(`${path}/:id`, { schema: get }, async (request) => accountObject(await accountOf(request, tenants)));

  const remove = { summary: 'Delete a service account and revoke its keys', tags, params: ItemParams, response: { 200: DeletedObject('organization.project.service_account.deleted'), ...ERRORS } };
  app.delete<Item>(`${path}/:id`, { schema: remove }, async (request) => {
    const { id } = await accountOf(request, tenants);
    await tenants.deleteServiceAccount(id, actorOf(request));
    return { object: 'organization.project.service_account.deleted', id, deleted: true as const };
  });
}

async function keyOf(request: FastifyRequest<Item>, { tenants, keys }: ProjectKeyDeps): Promise<ApiKeyRecord> {
  const { id: project } = await projectOf(request, request.params.project, tenants);
  const key = await keys.get(request.params.id);
  if (key !== null && key.project === project && key.kind === 'live' && key.revokedAtMs === null) return key;
  throw new MeridianError('not_found', { param: 'key_id', message: `There is no key '${request.params.id}' in this project.` });
}

async function accountOf(request: FastifyRequest<Item>, tenants: TenantStore): Promise<ServiceAccount> {
  const { id: project } = await projectOf(request, request.params.project, tenants);
  const account = await tenants.serviceAccount(request.params.id);
  if (account !== null && account.project === project) return account;
  throw new MeridianError('not_found', { param: 'service_account_id', message: `There is no service account '${request.params.id}' in this project.` });
}

function accountObject({ id, name, createdAtMs }: ServiceAccount): Static<typeof AccountObject> {
  return { object: 'organization.project.service_account', id, name, role: 'member', created_at: epochSeconds(createdAtMs) };
}

function keyObject(key: ApiKeyRecord, account: ServiceAccount | null): Static<typeof KeyObject> {
  const { id, name, hint, createdAtMs, lastUsedAtMs, expiresAtMs, scopes } = key;
  return {
    object: 'organization.project.api_key',
    id,
    name,
    redacted_value: hint,
    created_at: epochSeconds(createdAtMs),
    last_used_at: lastUsedAtMs === null ? null : epochSeconds(lastUsedAtMs),
    expires_at: expiresAtMs === null ? null : epochSeconds(expiresAtMs),
    scopes: [...scopes],
    owner: account === null ? { type: 'user' } : { type: 'service_account', service_account: { id: account.id, name: account.name, role: 'member', created_at: epochSeconds(account.createdAtMs) } },
    owner_project_access: 'active',
  };
}
