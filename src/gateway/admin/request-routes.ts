import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import { MeridianError } from '../../core/index.ts';
import type { AdminDeps } from './admin-routes.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { DEFAULT_LIMIT, Page } from './page-query.ts';
import { RequestObject, requestObject } from './request-object.ts';
import { RouteObject, routeObject } from './route-object.ts';

const RequestList = Type.Object({ object: Type.Literal('list'), data: Type.Array(RequestObject), has_more: Type.Boolean() });
const RequestPage = Type.Object(
  {
    ...Page.properties,
    order: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')], { default: 'asc', description: 'Oldest or newest first.' })),
  },
  { additionalProperties: false },
);
const RequestParams = Type.Object({ id: Type.String() });

/** What was used: one record per request, with its attempts. */
export function requestRoutes(app: FastifyInstance, { journal, isUnderWay, routeLog }: Pick<AdminDeps, 'journal' | 'isUnderWay' | 'routeLog'>): void {
  const tags = ['requests'];
  const list = { summary: 'List usage records', tags, querystring: RequestPage, response: { 200: RequestList, ...ERRORS } };
  app.get<{ Querystring: Static<typeof RequestPage> }>('/admin/v1/requests', { schema: list }, async (request) => {
    const { after, limit = DEFAULT_LIMIT, order = 'asc' } = request.query;
    const { entries, hasMore } = await journal.list({ after, limit, order });
    return { object: 'list', data: entries.map(requestObject), has_more: hasMore };
  });

  const get = { summary: 'Retrieve a usage record', tags, params: RequestParams, response: { 200: RequestObject, ...ERRORS } };
  app.get<{ Params: Static<typeof RequestParams> }>('/admin/v1/requests/:id', { schema: get }, async (request) => {
    const entry = await journal.find(request.params.id);
    if (entry !== null) return requestObject(entry);
    const { id } = request.params;
    const message = isUnderWay(id) ? `The request '${id}' is still under way.` : `There is no request '${id}'.`;
    throw new MeridianError('not_found', { message, param: 'id' });
  });

  const route = { summary: 'Explain where a request went', tags, params: RequestParams, response: { 200: RouteObject, ...ERRORS } };
  app.get<{ Params: Static<typeof RequestParams> }>('/admin/v1/requests/:id/route', { schema: route }, (request) => {
    const { id } = request.params;
    const found = routeLog.find(id);
    if (found !== null) return routeObject(found);
    const message = `There is no route of a request '${id}': a gateway remembers those of its newest requests, until it stops.`;
    throw new MeridianError('not_found', { message, param: 'id' });
  });
}
