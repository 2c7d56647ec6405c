import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import { epochSeconds, MeridianError } from '../../core/index.ts';
import type { Authority, NodeRegistry, RegisteredNode } from '../../identity/index.ts';
import { ERRORS } from '../routes/answer-schemas.ts';
import type { NoteAct } from './audited.ts';
import { DEFAULT_LIMIT, listOf, listSchema, Page } from './page-query.ts';

export interface NodeDeps {
  /** Null for a fleet in which all nodes have one token. */
  readonly joining: { readonly authority: Pick<Authority, 'pin'>; readonly registry: NodeRegistry } | null;
  /** Cuts the links of a node. */
  readonly cut: (node: string, why: string) => void;
}

const Name = Type.String({ minLength: 1, maxLength: 200 });
const Names = Type.Array(Name, { minItems: 1, maxItems: 100 });
const Networks = Type.Union([Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 100 }), Type.Null()], { description: 'Networks it may dial from, as 10.0.0.0/8; null: any.' });
const HOUR_S = 3_600;
const LIFETIME_S_MAX = 30 * 24 * HOUR_S;

const NewJoinTokenBody = Type.Object(
  {
    node: Name,
    region: Name,
    models: Names,
    networks: Type.Optional(Networks),
    expires_in_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: LIFETIME_S_MAX, description: 'An hour without it.' })),
  },
  { additionalProperties: false },
);

const JoinTokenObject = Type.Object({
  object: Type.Literal('join_token'),
  id: Type.String(),
  node: Type.String(),
  token: Type.String({ description: 'Good once. Shown once, and kept nowhere.' }),
  expires_at: Type.Integer(),
});

const NodeObject = Type.Object({
  object: Type.Literal('node'),
  id: Type.String(),
  region: Type.String(),
  models: Type.Array(Type.String()),
  networks: Networks,
  joined_at: Type.Integer(),
  joined_from: Type.String(),
  revoked_at: Type.Union([Type.Integer(), Type.Null()]),
});

const NodeParams = Type.Object({ node: Type.String() });

/** Which nodes may be members of the fleet: tokens by which they join, those that have, and those that may not any more. */
export function nodeRoutes(app: FastifyInstance, { joining, cut, note }: NodeDeps & { readonly note: NoteAct }): void {
  const tags = ['fleet'];
  const create = { summary: 'Make a token by which a node joins, once', tags, body: NewJoinTokenBody, response: { 201: JoinTokenObject, ...ERRORS } };
  app.post<{ Body: Static<typeof NewJoinTokenBody> }>('/admin/v1/join_tokens', { schema: create }, async (request, reply) => {
    const { authority, registry } = required(joining);
    const { node, region, models, networks = null, expires_in_seconds: lifetimeS = HOUR_S } = request.body;
    const { id, token, expiresAtMs } = await registry.allow({ node, region, models, networks }, lifetimeS * 1_000, authority.pin);
    await note(request, { type: 'join_token.created', organization: null, resource: id, detail: { node, region, models, networks } });
    void reply.status(201);
    return { object: 'join_token', id, node, token, expires_at: epochSeconds(expiresAtMs) };
  });

  const list = { summary: 'List the nodes that have joined', tags, querystring: Page, response: { 200: listSchema(NodeObject), ...ERRORS } };
  app.get<{ Querystring: Static<typeof Page> }>('/admin/v1/nodes', { schema: list }, async (request) => {
    const { after, limit = DEFAULT_LIMIT } = request.query;
    return listOf((await required(joining).registry.nodes({ after, limit: limit + 1 })).map(nodeObject), limit);
  });

  const revoke = { summary: 'Cut a node off, and let none of its certificates in any more', tags, params: NodeParams, response: { 200: NodeObject, ...ERRORS } };
  app.post<{ Params: Static<typeof NodeParams> }>('/admin/v1/nodes/:node/revoke', { schema: revoke }, async (request) => {
    const { node } = request.params;
    const revoked = await required(joining).registry.revoke(node);
    cut(node, 'it was revoked');
    await note(request, { type: 'node.revoked', organization: null, resource: node, detail: {} });
    return nodeObject(revoked);
  });
}

function required(joining: NodeDeps['joining']): NonNullable<NodeDeps['joining']> {
  if (joining !== null) return joining;
  throw new MeridianError('conflict', { message: 'Nodes are let in here by one token for all; with listen.fleet.join in the configuration they join one by one.' });
}

function nodeObject({ identity, joinedAtMs, joinedFrom, revokedAtMs }: RegisteredNode): Static<typeof NodeObject> {
  const { node, region, models, networks } = identity;
  return {
    object: 'node',
    id: node,
    region,
    models: [...models],
    networks: networks === null ? null : [...networks],
    joined_at: epochSeconds(joinedAtMs),
    joined_from: joinedFrom,
    revoked_at: epochSeconds(revokedAtMs),
  };
}
