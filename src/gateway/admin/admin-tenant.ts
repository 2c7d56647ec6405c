import type { FastifyRequest } from 'fastify';

/** The organization an administrator looks at: that of the header `OpenAI-Organization`; null: all of them. */
export function tenantOf(request: FastifyRequest): string | null {
  const named = request.headers['openai-organization'];
  return typeof named === 'string' && named !== '' ? named : null;
}
