import type { FastifyInstance } from 'fastify';
import { MeridianError } from '../../core/index.ts';

/** Bounds the requests under way from one address by what `mostNow` says; 0: no bound, for gateways behind a proxy. */
export function limitPerAddress(app: FastifyInstance, mostNow: () => number): void {
  const inFlight = new Map<string, number>();
  app.addHook('onRequest', (request, reply, done) => {
    const address = request.raw.socket.remoteAddress ?? '';
    const count = inFlight.get(address) ?? 0;
    const inFlightMax = mostNow();
    if (inFlightMax > 0 && count >= inFlightMax) {
      return done(new MeridianError('rate_limit_exceeded', { message: `At most ${inFlightMax} requests are under way from one address.`, retryAfterMs: 1_000 }));
    }
    inFlight.set(address, count + 1);
    reply.raw.once('close', () => {
      const left = (inFlight.get(address) ?? 1) - 1;
      if (left === 0) inFlight.delete(address);
      else inFlight.set(address, left);
    });
    done();
  });
}
