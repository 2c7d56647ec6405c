import type { FastifyInstance } from 'fastify';
import { Type, type Static } from 'typebox';
import { MeridianError } from '../../core/index.ts';
import type { Fleet, Replica } from '../../health/index.ts';
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
});

const ReplicaList = Type.Object({ object: Type.Literal('list'), data: Type.Array(ReplicaObject), has_more: Type.Boolean() });
const NodeParams = Type.Object({ node: Type.String() });
const Operated = Type.Object({ node: Type.String(), operation: Type.String() });

/** The fleet as this gateway sees it, and the operations on its nodes. */
export function fleetRoutes(app: FastifyInstance, deps: FleetOperations & { readonly fleet: Fleet }): void {
  const tags = ['fleet'];
  const list = { summary: 'List replicas', tags, response: { 200: ReplicaList, ...ERRORS } };
  app.get('/admin/v1/fleet', { schema: list }, () => {
    const data = deps.fleet.all().map(replicaObject);
    return { object: 'list', data: data.sort((a, b) => (a.id < b.id ? -1 : 1)), has_more: false };
  });

  for (const operation of ['drain', 'resume'] as const) {
    const summary = operation === 'drain' ? 'Let a node finish what it has and take nothing new' : 'Let a node take requests again';
    const schema = { summary, tags, params: NodeParams, response: { 202: Operated, ...ERRORS } };
    app.post<{ Params: Static<typeof NodeParams> }>(`/admin/v1/fleet/:node/${operation}`, { schema }, (request, reply) => {
      const { node } = request.params;
      if (!deps.operate(node, operation)) {
        throw new MeridianError('not_found', { message: `No node '${node}' is linked to this gateway.`, param: 'node' });
      }
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
  };
}
