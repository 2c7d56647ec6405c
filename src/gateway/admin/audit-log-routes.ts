import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import { epochSeconds } from '../../core/index.ts';
import type { AuditEvent, AuditLog } from '../../accounts/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import { refuseOrganizations, tenantOf } from './admin-identity.ts';

import { DEFAULT_LIMIT, listOf, listSchema, Page } from './page-query.ts';

const Texts = Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 100 }));
const Time = Type.Optional(Type.Integer({ minimum: 0, maximum: 253_402_300_799 }));

const AuditQueryString = Type.Object(
  {
    ...Page.properties,
    before: Type.Optional(Type.String({ description: 'Id of the event to end before.' })),
    'effective_at[gt]': Time,
    'effective_at[gte]': Time,
    'effective_at[lt]': Time,
    'effective_at[lte]': Time,
    event_types: Texts,
    project_ids: Texts,
    actor_ids: Texts,
    resource_ids: Texts,
  },
  { additionalProperties: false },
);

const AuditObject = Type.Object(
  {
    object: Type.Literal('organization.audit_log'),
    id: Type.String(),
    type: Type.String(),
    effective_at: Type.Integer(),
    organization: Type.Union([Type.String(), Type.Null()]),
    project: Type.Union([Type.Object({ id: Type.String() }), Type.Null()]),
    actor: Type.Object({ type: Type.String(), api_key: Type.Object({ type: Type.String(), id: Type.String() }), ip_address: Type.Union([Type.String(), Type.Null()]) }),
  },
  { additionalProperties: true, description: 'What was done stands under the name of its type: its id, and what was said.' },
);

const Verified = Type.Object({ object: Type.Literal('audit_log.verification'), events: Type.Integer(), intact: Type.Boolean(), fault: Type.Union([Type.String(), Type.Null()]) });

/** What administrators did, newest first, in OpenAI's shape; and whether the log is as it was written. */
export function auditLogRoutes(app: FastifyInstance, { audit }: { readonly audit: AuditLog }): void {
  const tags = ['audit'];
  const list = { summary: 'List audit events', tags, querystring: AuditQueryString, response: { 200: listSchema(AuditObject), ...ERRORS } };
  app.get<{ Querystring: Static<typeof AuditQueryString> }>('/v1/organization/audit_logs', { schema: list }, async (request) => {
    const { after, before, limit = DEFAULT_LIMIT, event_types: types, project_ids: projects, actor_ids: actors, resource_ids: resources, ...times } = request.query;
    const from = [times['effective_at[gte]'], plusOne(times['effective_at[gt]'])].filter((time) => time !== undefined);
    const to = [times['effective_at[lt]'], plusOne(times['effective_at[lte]'])].filter((time) => time !== undefined);
    const events = await audit.list({
      after,
      before,
      limit: limit + 1,
      organization: tenantOf(request) ?? undefined,
      types,
      projects,
      actors,
      resources,
      fromMs: from.length === 0 ? undefined : Math.max(...from) * 1_000,
      toMs: to.length === 0 ? undefined : Math.min(...to) * 1_000,
    });
    return listOf(events.map(auditObject), limit);
  });

  const verify = { summary: 'Whether the audit log is as it was written', tags, response: { 200: Verified, ...ERRORS } };
  app.get('/admin/v1/audit_log/verification', { schema: verify }, async (request) => {
    refuseOrganizations(request);
    const { count, fault } = await audit.verify();
    return { object: 'audit_log.verification' as const, events: count, intact: fault === null, fault };
  });
}

/** Whole seconds: after one of them is from the next one on. */
function plusOne(time: number | undefined): number | undefined {
  return time === undefined ? undefined : time + 1;
}

function auditObject({ id, type, atMs, organization, project, actor, resource, detail }: AuditEvent): Static<typeof AuditObject> {
  return {
    object: 'organization.audit_log',
    id,
    type,
    effective_at: epochSeconds(atMs),
    organization,
    project: project === null ? null : { id: project },
    actor: { type: 'api_key', api_key: { type: 'service_account', id: actor.keyId ?? actor.kind }, ip_address: actor.address },
    [type]: { id: resource, ...(type.endsWith('.created') ? { data: detail } : { changes_requested: detail }) },
  };
}
