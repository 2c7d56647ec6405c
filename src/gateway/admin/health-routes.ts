import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';

export interface HealthProbes {
  /** Why the gateway cannot take requests; empty when it can. */
  readonly unreadyReasons: () => string[];
  /** Metrics in Prometheus' text format. */
  readonly scrape: () => Promise<string>;
  /** The OpenAPI document of both listeners. */
  readonly openapi: () => object;
}

const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8';

/** Liveness, readiness and metrics, for probes and scrapers. */
export function healthRoutes(app: FastifyInstance, probes: HealthProbes): void {
  const tags = ['health'];
  const alive = Type.Object({ status: Type.Literal('ok') });
  app.get('/healthz', { schema: { summary: 'Liveness', tags, security: [], response: { 200: alive } } }, () => ({ status: 'ok' }));

  const readiness = Type.Object({ status: Type.String(), reasons: Type.Array(Type.String()) });
  const ready = { summary: 'Readiness', tags, security: [], response: { 200: readiness, 503: readiness } };
  app.get('/readyz', { schema: ready }, (_request, reply) => {
    const reasons = probes.unreadyReasons();
    void reply.status(reasons.length === 0 ? 200 : 503);
    return { status: reasons.length === 0 ? 'ready' : 'not ready', reasons };
  });

  const metrics = { summary: 'Metrics in Prometheus text format', tags, security: [] };
  app.get('/metrics', { schema: metrics }, async (_request, reply) => {
    void reply.type(PROMETHEUS);
    return probes.scrape();
  });

  app.get('/openapi.json', { schema: { summary: 'The OpenAPI document', tags, security: [] } }, () => probes.openapi());
}
