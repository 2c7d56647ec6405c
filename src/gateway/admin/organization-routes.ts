import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import type { Organization, TenantStore } from '../../accounts/index.ts';
import { epochSeconds, MeridianError, NO_LIMITS } from '../../core/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { actorOf } from './admin-identity.ts';
import { LimitsBody, limitsObject, LimitsObject, limitsOf } from './limit-fields.ts';
import { OrganizationId } from './money-fields.ts';
import { DEFAULT_LIMIT, listSchema, Page, pageObject, type PageQuery } from './page-query.ts';

const Name = Type.String({ minLength: 1, maxLength: 200 });
const OrganizationObject = Type.Object({ object: Type.Literal('organization'), id: Type.String(), name: Type.String(), limits: LimitsObject, created_at: Type.Integer() });
const NewOrganization = Type.Object({ id: Type.Optional(OrganizationId), name: Name, limits: Type.Optional(LimitsBody) }, { additionalProperties: false });
const OrganizationChange = Type.Object({ name: Type.Optional(Name), limits: Type.Optional(LimitsBody) }, { additionalProperties: false });
const ProjectChange = Type.Object({ limits: LimitsBody }, { additionalProperties: false });
const Params = Type.Object({ id: Type.String() });

type One = { Params: Static<typeof Params> };

/** Organizations, and what all keys of one, or of a project, may ask for together. */
export function organizationRoutes(app: FastifyInstance, { tenants }: { readonly tenants: TenantStore }): void {
  const tags = ['organizations'];
  const path = '/admin/v1/organizations';
  const one = { 200: OrganizationObject, ...ERRORS };
  const create = { summary: 'Create an organization', tags, body: NewOrganization, response: { 201: OrganizationObject, ...ERRORS } };
  app.post<{ Body: Static<typeof NewOrganization> }>(path, { schema: create }, async (request, reply) => {
    const { id, name, limits } = request.body;
    const made = await tenants.createOrganization({ id, name, limits: limits === undefined ? NO_LIMITS : limitsOf(limits) }, actorOf(request));
    void reply.status(201);
    return organizationObject(made);
  });

  const list = { summary: 'List organizations', tags, querystring: Page, response: { 200: listSchema(OrganizationObject), ...ERRORS } };
  app.get<{ Querystring: PageQuery }>(path, { schema: list }, async (request) => {
    const { after, limit = DEFAULT_LIMIT } = request.query;
    return pageObject(await tenants.organizations({ after, limit }), organizationObject);
  });

  app.get<One>(`${path}/:id`, { schema: { summary: 'Retrieve an organization', tags, params: Params, response: one } }, async (request) => {
    const found = await tenants.organization(request.params.id);
    if (found === null) throw new MeridianError('not_found', { param: 'id', message: `There is no organization '${request.params.id}'.` });
    return organizationObject(found);
  });

  const change = { summary: 'Change an organization', tags, params: Params, body: OrganizationChange, response: one };
  app.post<One & { Body: Static<typeof OrganizationChange> }>(`${path}/:id`, { schema: change }, async (request) => {
    const { name, limits } = request.body;
    return organizationObject(await tenants.updateOrganization(request.params.id, { name, limits: limits === undefined ? undefined : limitsOf(limits) }, actorOf(request)));
  });

  const limit = { summary: 'Limit all keys of a project together', tags, params: Params, body: ProjectChange, response: { 200: Type.Object({ id: Type.String(), limits: LimitsObject }), ...ERRORS } };
  app.post<One & { Body: Static<typeof ProjectChange> }>('/admin/v1/projects/:id/limits', { schema: limit }, async (request) => {
    const { id, limits } = await tenants.updateProject(request.params.id, { limits: limitsOf(request.body.limits) }, actorOf(request));
    return { id, limits: limitsObject(limits) };
  });
}

function organizationObject({ id, name, limits, createdAtMs }: Organization): Static<typeof OrganizationObject> {
  return { object: 'organization', id, name, limits: limitsObject(limits), created_at: epochSeconds(createdAtMs) };
}
