import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import type { Journal } from '../../billing/index.ts';
import { MeridianError } from '../../core/index.ts';
import { ERRORS } from './answer-schemas.ts';
import { Page, type PageQuery } from './page-query.ts';
import { RequestObject, requestObject } from './request-object.ts';

const RequestList = Type.Object({ object: Type.Literal('list'), data: Type.Array(RequestObject), has_more: Type.Boolean() });
const RequestParams = Type.Object({ id: Type.String() });

/** What was used: one record per request, with its attempts. */
export function requestRoutes(app: FastifyInstance, { journal }: { readonly journal: Journal }): void {
  const tags = ['requests'];
  const list = { summary: 'List usage records, oldest first', tags, querystring: Page, response: { 200: RequestList, ...ERRORS } };
  app.get<{ Querystring: PageQuery }>('/admin/v1/requests', { schema: list }, async (request) => {
    const { entries, hasMore } = await journal.list(request.query);
    return { object: 'list', data: entries.map(requestObject), has_more: hasMore };
  });

  const get = { summary: 'Retrieve a usage record', tags, params: RequestParams, response: { 200: RequestObject, ...ERRORS } };
  app.get<{ Params: Static<typeof RequestParams> }>('/admin/v1/requests/:id', { schema: get }, async (request) => {
    const entry = await journal.find(request.params.id);
    if (entry !== null) return requestObject(entry);
    throw new MeridianError('not_found', { message: `There is no settled request '${request.params.id}'.`, param: 'id' });
  });
}
