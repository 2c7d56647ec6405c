import type { FastifyRequest, HookHandlerDoneFunction } from 'fastify';

/** Where all of a body is optional, so is the body: the `preValidation` of such a route. */
export function bodyOrNothing(request: FastifyRequest, _reply: unknown, done: HookHandlerDoneFunction): void {
  request.body ??= {};
  done();
}
