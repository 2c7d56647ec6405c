import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { Project, TenantStore } from '../../accounts/index.ts';
import { epochSeconds, MeridianError, NO_LIMITS, type RateLimits } from '../../core/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { actorOf, oneTenantOf, tenantOf } from './admin-identity.ts';

import { DEFAULT_LIMIT, listSchema, Page, pageObject, type PageQuery } from './page-query.ts';

export interface ProjectDeps {
  readonly tenants: TenantStore;
  /** Names of models that clients may ask for. */
  readonly modelNames: () => readonly string[];
}

const Name = Type.String({ minLength: 1, maxLength: 200 });

const ProjectObject = Type.Object({
  object: Type.Literal('organization.project'),
  id: Type.String(),
  name: Type.String(),
  organization_id: Type.String(),
  created_at: Type.Integer(),
  archived_at: Type.Union([Type.Integer(), Type.Null()]),
  status: Type.String({ description: 'active or archived.' }),
});

const RateLimitObject = Type.Object({
  object: Type.Literal('project.rate_limit'),
  id: Type.String(),
  model: Type.String(),
  max_requests_per_1_minute: Type.Integer({ description: 'No bound: 2147483647.' }),
  max_tokens_per_1_minute: Type.Integer({ description: 'No bound: 2147483647.' }),
});

const ProjectBody = Type.Object({ name: Name }, { additionalProperties: false });
const ProjectChange = Type.Object({ name: Type.Optional(Name) }, { additionalProperties: false });
const ProjectPage = Type.Object({ ...Page.properties, include_archived: Type.Optional(Type.Boolean()) }, { additionalProperties: false });
const Bound = Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 }));
const LimitChange = Type.Object({ max_requests_per_1_minute: Bound, max_tokens_per_1_minute: Bound }, { additionalProperties: false });
const Params = Type.Object({ project: Type.String() });
const LimitParams = Type.Object({ project: Type.String(), limit: Type.String() });

const UNBOUNDED = 2_147_483_647;
const LIMIT_ID = 'rl-';

type InProject = { Params: Static<typeof Params> };

/** The project, of the organization that is looked at. Throws `not_found`: what is another's is not there. */
export async function projectOf(request: FastifyRequest, id: string, tenants: TenantStore): Promise<Project> {
  const project = await tenants.project(id);
  const tenant = tenantOf(request);
  if (project !== null && (tenant === null || project.organization === tenant)) return project;
  throw new MeridianError('not_found', { param: 'project_id', message: `There is no project '${id}'.` });
}

/** Projects and the rate limits of their models, in OpenAI's shapes. */
export function projectRoutes(app: FastifyInstance, { tenants, modelNames: namesNow }: ProjectDeps): void {
  const tags = ['projects'];
  const path = '/v1/organization/projects';
  const one = { 200: ProjectObject, ...ERRORS };

  const list = { summary: 'List projects', tags, querystring: ProjectPage, response: { 200: listSchema(ProjectObject), ...ERRORS } };
  app.get<{ Querystring: Static<typeof ProjectPage> }>(path, { schema: list }, async (request) => {
    const { after, limit = DEFAULT_LIMIT, include_archived: isArchivedToo = false } = request.query;
    return pageObject(await tenants.projects(oneTenantOf(request), { after, limit, isArchivedToo }), projectObject);
  });

  app.post<{ Body: Static<typeof ProjectBody> }>(path, { schema: { summary: 'Create a project', tags, body: ProjectBody, response: one } }, async (request) =>
    projectObject(await tenants.createProject({ organization: oneTenantOf(request), name: request.body.name }, actorOf(request))),
  );

  app.get<InProject>(`${path}/:project`, { schema: { summary: 'Retrieve a project', tags, params: Params, response: one } }, async (request) =>
    projectObject(await projectOf(request, request.params.project, tenants)),
  );

  app.post<InProject & { Body: Static<typeof ProjectChange> }>(`${path}/:project`, { schema: { summary: 'Change a project', tags, params: Params, body: ProjectChange, response: one } }, async (request) => {
    const { id } = await projectOf(request, request.params.project, tenants);
    return projectObject(await tenants.updateProject(id, request.body, actorOf(request)));
  });

  app.post<InProject>(`${path}/:project/archive`, { schema: { summary: 'Archive a project: its keys admit nothing any more', tags, params: Params, response: one } }, async (request) => {
    const { id } = await projectOf(request, request.params.project, tenants);
    return projectObject(await tenants.archiveProject(id, actorOf(request)));
  });

  const limits = { summary: 'List the rate limits of a project', tags, params: Params, querystring: Page, response: { 200: listSchema(RateLimitObject), ...ERRORS } };
  app.get<InProject & { Querystring: PageQuery }>(`${path}/:project/rate_limits`, { schema: limits }, async (request) => {
    const { modelLimits } = await projectOf(request, request.params.project, tenants);
    const { after, limit = DEFAULT_LIMIT } = request.query;
    const modelNames = namesNow();
    const rest = modelNames.slice(after === undefined ? 0 : modelNames.indexOf(modelOfLimit(after, modelNames, 'after')) + 1);
    const items = rest.slice(0, limit).map((model) => rateLimitObject(model, modelLimits.get(model)));
    return pageObject({ items, hasMore: rest.length > limit }, (item) => item);
  });

  const change = { summary: 'Change a rate limit of a project', tags, params: LimitParams, body: LimitChange, response: { 200: RateLimitObject, ...ERRORS } };
  app.post<{ Params: Static<typeof LimitParams>; Body: Static<typeof LimitChange> }>(`${path}/:project/rate_limits/:limit`, { schema: change }, async (request) => {
    const { id, modelLimits } = await projectOf(request, request.params.project, tenants);
    const model = modelOfLimit(request.params.limit, namesNow(), 'rate_limit_id');
    const before = modelLimits.get(model) ?? NO_LIMITS;
    const { max_requests_per_1_minute: requests, max_tokens_per_1_minute: tokens } = request.body;
    const after = { ...before, requestsPerMinute: bound(requests, before.requestsPerMinute), tokensPerMinute: bound(tokens, before.tokensPerMinute) };
    await tenants.limitModel(id, model, after, actorOf(request));
    return rateLimitObject(model, after);
  });
}

function modelOfLimit(id: string, models: readonly string[], param: string): string {
  const model = id.startsWith(LIMIT_ID) ? id.slice(LIMIT_ID.length) : '';
  if (models.includes(model)) return model;
  throw new MeridianError(param === 'after' ? 'invalid_value' : 'not_found', { param, message: `There is no rate limit '${id.slice(0, 100)}'.` });
}

function bound(asked: number | undefined, before: number | null): number | null {
  if (asked === undefined) return before;
  return asked === UNBOUNDED ? null : asked;
}

function projectObject({ id, name, organization, createdAtMs, archivedAtMs }: Project): Static<typeof ProjectObject> {
  return {
    object: 'organization.project',
    id,
    name,
    organization_id: organization,
    created_at: epochSeconds(createdAtMs),
    archived_at: archivedAtMs === null ? null : epochSeconds(archivedAtMs),
    status: archivedAtMs === null ? 'active' : 'archived',
  };
}

function rateLimitObject(model: string, { requestsPerMinute, tokensPerMinute }: RateLimits = NO_LIMITS): Static<typeof RateLimitObject> {
  return {
    object: 'project.rate_limit',
    id: `${LIMIT_ID}${model}`,
    model,
    max_requests_per_1_minute: requestsPerMinute ?? UNBOUNDED,
    max_tokens_per_1_minute: tokensPerMinute ?? UNBOUNDED,
  };
}
