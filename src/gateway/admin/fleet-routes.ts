import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import { MeridianError } from '../../core/index.ts';
import type { Fleet, Replica } from '../../health/index.ts';
import { listOf, listSchema, Page } from './page-query.ts';
import type { NoteAct } from './audited.ts';
import { ERRORS } from '../routes/answer-schemas.ts';

export interface FleetOperations {
  /** False when no such node is linked. */
  readonly operate: (node: string, operation: 'drain' | 'resume') => boolean;
}

const OrNull = Type.Union([Type.Number(), Type.Null()]);

const ReplicaObject = Type.Object({
  object: Type.Literal('replica'),
  id: Type.String(),
  node: Type.String(),
  region: Type.String(),
  engine: Type.String(),
  models: Type.Array(Type.String()),
  state: Type.String({ description: 'starting, warming, ready, draining or unhealthy, as the node says.' }),
  reason: Type.String(),
  breaker: Type.String({ description: 'closed, open or half-open.' }),
  rtt_ms: OrNull,
  in_flight: Type.Integer({ description: 'Attempts of this gateway under way.' }),
  sent_since_tokens: Type.Integer({ description: 'Uncached prompt tokens sent since the newest load report was taken.' }),
  running: OrNull,
  queued: OrNull,
  queued_uncached_tokens: OrNull,
  kv_tokens_used: OrNull,
  kv_tokens: OrNull,
  prefill_tokens_per_s: Type.Number({ description: 'Learned from first tokens.' }),
  decode_tokens_per_s: OrNull,
  accept_length: Type.Union([Type.Number(), Type.Null()], { description: 'Tokens that one step of speculative decoding yields; null without any.' }),
});

const REPLICAS_MAX = 1_000;
const FleetPage = Type.Object(
  { ...Page.properties, limit: Type.Optional(Type.Integer({ minimum: 1, maximum: REPLICAS_MAX, description: `${REPLICAS_MAX} without it.` })) },
  { additionalProperties: false },
);
const NodeParams = Type.Object({ node: Type.String() });
const Operated = Type.Object({ node: Type.String(), operation: Type.String() });

/** The fleet as this gateway sees it, and the operations on its nodes. */
export function fleetRoutes(app: FastifyInstance, deps: FleetOperations & { readonly fleet: Fleet; readonly note: NoteAct }): void {
  const tags = ['fleet'];
  const list = { summary: 'List replicas', tags, querystring: FleetPage, response: { 200: listSchema(ReplicaObject), ...ERRORS } };
  app.get<{ Querystring: Static<typeof FleetPage> }>('/admin/v1/fleet', { schema: list }, (request) => {
    const { after = '', limit = REPLICAS_MAX } = request.query;
    const inOrder = deps.fleet.all().map(replicaObject).sort((a, b) => (a.id < b.id ? -1 : 1));
    // Behind an id that is gone by now the list goes on all the same.
    return listOf(inOrder.filter(({ id }) => id > after).slice(0, limit + 1), limit);
  });

  for (const operation of ['drain', 'resume'] as const) {
    const summary = operation === 'drain' ? 'Let a node finish what it has and take nothing new' : 'Let a node take requests again';
    const schema = { summary, tags, params: NodeParams, response: { 202: Operated, ...ERRORS } };
    app.post<{ Params: Static<typeof NodeParams> }>(`/admin/v1/fleet/:node/${operation}`, { schema }, async (request, reply) => {
      const { node } = request.params;
      if (!deps.operate(node, operation)) {
        throw new MeridianError('not_found', { message: `No node '${node}' is linked to this gateway.`, param: 'node' });
      }
      await deps.note(request, { type: `fleet.${operation}`, organization: null, resource: node, detail: {} });
      void reply.status(202);
      return { node, operation };
    });
  }
}

function replicaObject(replica: Replica): Static<typeof ReplicaObject> {
  const { identity, load } = replica;
  return {
    object: 'replica',
    id: identity.id,
    node: identity.node,
    region: identity.region,
    engine: identity.engine,
    models: [...identity.models],
    state: replica.state,
    reason: replica.reason,
    breaker: replica.breaker.state.kind,
    rtt_ms: replica.rttMs,
    in_flight: replica.inFlight,
    sent_since_tokens: replica.backlog.sentSinceTokens,
    running: load?.running ?? null,
    queued: load?.queued ?? null,
    queued_uncached_tokens: load?.queuedUncachedTokens ?? null,
    kv_tokens_used: load?.kvTokensUsed ?? null,
    kv_tokens: load?.kvTokens ?? null,
    prefill_tokens_per_s: Math.round(replica.pace.prefillTokensPerMs * 1_000),
    decode_tokens_per_s: load?.decodeTokensPerS ?? null,
    accept_length: load?.acceptLength ?? null,
  };
}
