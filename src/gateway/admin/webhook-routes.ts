import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import { WEBHOOK_EVENT_TYPES, type EndpointWithSecret, type WebhookDesk, type WebhookEventType, type WebhookSubject } from '../../billing/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import type { NoteAct } from './audited.ts';
import { bodyOrNothing } from './body-or-nothing.ts';
import { OrganizationId } from './money-fields.ts';
import { DEFAULT_LIMIT, listOf, ListPage, listSchema, type ListPageQuery } from './page-query.ts';
import { DeletedEndpointObject, EndpointObject, endpointObject, EndpointWithSecretObject, EventObject, eventObject } from './webhook-object.ts';

export type WebhookAdmin = Pick<WebhookDesk, 'create' | 'get' | 'list' | 'update' | 'remove' | 'rotateSecret' | 'test' | 'event' | 'events' | 'redeliver'>;

export interface WebhookDeps {
  readonly note: NoteAct;
  readonly webhooks: WebhookAdmin;
}

const DAY_S = 86_400;
const GRACE_MAX_S = 7 * DAY_S;

const Url = Type.String({ minLength: 1, maxLength: 2_000, description: 'https, at a public address.' });
const Types = Type.Union([Type.Array(Type.Enum([...WEBHOOK_EVENT_TYPES]), { minItems: 1 }), Type.Null()], { description: 'What it is told; null: everything.' });

const NewEndpointBody = Type.Object(
  {
    url: Url,
    organization: Type.Optional(Type.Union([OrganizationId, Type.Null()], { description: 'Whose events it gets; without it, everybody’s.' })),
    event_types: Type.Optional(Types),
  },
  { additionalProperties: false },
);
const EndpointChangeBody = Type.Object(
  {
    url: Type.Optional(Url),
    event_types: Type.Optional(Types),
    enabled: Type.Optional(Type.Boolean({ description: 'What waits for an endpoint that is disabled is given up.' })),
  },
  { additionalProperties: false },
);
const RotateBody = Type.Object(
  { grace_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: GRACE_MAX_S, description: 'For how long the secrets before it sign too; a day without it.' })) },
  { additionalProperties: false },
);
const RedeliverBody = Type.Object({ endpoint: Type.Optional(Type.String({ description: 'To this one only.' })) }, { additionalProperties: false });
const EventPage = Type.Object(
  {
    ...ListPage.properties,
    type: Type.Optional(Type.Enum([...WEBHOOK_EVENT_TYPES, 'webhook.test'])),
    order: Type.Optional(Type.Enum(['asc', 'desc'], { default: 'asc', description: 'Oldest or newest first.' })),
  },
  { additionalProperties: false },
);
const Params = Type.Object({ id: Type.String() });

type ById = { Params: Static<typeof Params> };

const tags = ['webhooks'];

/** Who is told of what is billed, and what became of that. */
export function webhookRoutes(app: FastifyInstance, deps: WebhookDeps): void {
  endpointRoutes(app, deps);
  secretAndTestRoutes(app, deps);
  eventRoutes(app, deps);
}

function endpointRoutes(app: FastifyInstance, { webhooks, note }: WebhookDeps): void {
  const path = '/admin/v1/webhook_endpoints';
  const answer = { 200: EndpointObject, ...ERRORS };
  const create = { summary: 'Create a webhook endpoint', tags, body: NewEndpointBody, response: { 201: EndpointWithSecretObject, ...ERRORS } };
  app.post<{ Body: Static<typeof NewEndpointBody> }>(path, { schema: create }, async (request, reply) => {
    const { url, organization = null, event_types: types } = request.body;
    const made = await webhooks.create({ url, organization, eventTypes: typesOf(types ?? null) });
    await note(request, { type: 'webhook_endpoint.created', organization, resource: made.endpoint.id, detail: { url } });
    void reply.status(201);
    return withSecret(made);
  });

  const list = { summary: 'List webhook endpoints', tags, querystring: ListPage, response: { 200: listSchema(EndpointObject), ...ERRORS } };
  app.get<{ Querystring: ListPageQuery }>(path, { schema: list }, async (request) => {
    const { limit = DEFAULT_LIMIT, ...query } = request.query;
    return listOf((await webhooks.list({ ...query, limit: limit + 1 })).map(endpointObject), limit);
  });

  const get = { summary: 'Retrieve a webhook endpoint', tags, params: Params, response: answer };
  app.get<ById>(`${path}/:id`, { schema: get }, async (request) => endpointObject(await webhooks.get(request.params.id)));

  const update = { summary: 'Change a webhook endpoint', tags, params: Params, body: EndpointChangeBody, response: answer };
  app.post<ById & { Body: Static<typeof EndpointChangeBody> }>(`${path}/:id`, { schema: update }, async (request) => {
    const { url, event_types: types, enabled: isEnabled } = request.body;
    const changed = await webhooks.update(request.params.id, { url, eventTypes: types === undefined ? undefined : typesOf(types), isEnabled });
    await note(request, { type: 'webhook_endpoint.updated', organization: changed.organization, resource: changed.id, detail: request.body });
    return endpointObject(changed);
  });

  const remove = { summary: 'Delete a webhook endpoint', tags, params: Params, response: { 200: DeletedEndpointObject, ...ERRORS } };
  app.delete<ById>(`${path}/:id`, { schema: remove }, async (request) => {
    await webhooks.remove(request.params.id);
    await note(request, { type: 'webhook_endpoint.deleted', organization: null, resource: request.params.id, detail: {} });
    return { object: 'webhook_endpoint.deleted', id: request.params.id, deleted: true };
  });
}

function secretAndTestRoutes(app: FastifyInstance, { webhooks, note }: WebhookDeps): void {
  const path = '/admin/v1/webhook_endpoints/:id';
  const rotate = { summary: 'Give a webhook endpoint a new secret', tags, params: Params, body: RotateBody, response: { 200: EndpointWithSecretObject, ...ERRORS } };
  app.post<ById & { Body: Static<typeof RotateBody> }>(`${path}/rotate_secret`, { schema: rotate, preValidation: bodyOrNothing }, async (request) => {
    const made = await webhooks.rotateSecret(request.params.id, (request.body.grace_seconds ?? DAY_S) * 1_000);
    await note(request, { type: 'webhook_endpoint.secret_rotated', organization: made.endpoint.organization, resource: made.endpoint.id, detail: {} });
    return withSecret(made);
  });

  const test = { summary: 'Send a test event to a webhook endpoint', tags, params: Params, response: { 202: EventObject, ...ERRORS } };
  app.post<ById>(`${path}/test`, { schema: test }, async (request, reply) => {
    const event = await webhooks.test(request.params.id);
    void reply.status(202);
    return eventObject(event);
  });
}

function eventRoutes(app: FastifyInstance, { webhooks }: WebhookDeps): void {
  const path = '/admin/v1/webhook_events';
  const list = { summary: 'List webhook events with their deliveries', tags, querystring: EventPage, response: { 200: listSchema(EventObject), ...ERRORS } };
  app.get<{ Querystring: Static<typeof EventPage> }>(path, { schema: list }, async (request) => {
    const { limit = DEFAULT_LIMIT, type, order, ...query } = request.query;
    const events = await webhooks.events({ ...query, type: type as WebhookEventType | undefined, order: order === 'desc' ? 'desc' : 'asc', limit: limit + 1 });
    return listOf(events.map(eventObject), limit);
  });

  const get = { summary: 'Retrieve a webhook event', tags, params: Params, response: { 200: EventObject, ...ERRORS } };
  app.get<ById>(`${path}/:id`, { schema: get }, async (request) => eventObject(await webhooks.event(request.params.id)));

  const redeliver = { summary: 'Send a webhook event once more', tags, params: Params, body: RedeliverBody, response: { 202: EventObject, ...ERRORS } };
  app.post<ById & { Body: Static<typeof RedeliverBody> }>(`${path}/:id/redeliver`, { schema: redeliver, preValidation: bodyOrNothing }, async (request, reply) => {
    const event = await webhooks.redeliver(request.params.id, request.body.endpoint ?? null);
    void reply.status(202);
    return eventObject(event);
  });
}

function withSecret({ endpoint, secret }: EndpointWithSecret): Static<typeof EndpointWithSecretObject> {
  return { ...endpointObject(endpoint), secret };
}

/** The schema has checked what they are. */
function typesOf(types: readonly string[] | null): readonly WebhookSubject[] | null {
  return types === null ? null : ([...new Set(types)] as WebhookSubject[]);
}
