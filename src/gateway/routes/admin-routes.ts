import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { KeyStore } from '../../accounts/index.ts';
import type { Journal } from '../../billing/index.ts';
import { MeridianError } from '../../core/index.ts';
import type { Fleet } from '../../health/index.ts';
import { fleetRoutes, type FleetOperations } from './fleet-routes.ts';
import { healthRoutes, type HealthProbes } from './health-routes.ts';
import { keyRoutes } from './key-routes.ts';
import { requestRoutes } from './request-routes.ts';

export interface AdminDeps extends HealthProbes, FleetOperations {
  readonly adminKey: string;
  readonly keys: KeyStore;
  readonly journal: Journal;
  readonly fleet: Fleet;
}

/** Administration: health and metrics open to the listener's network, everything under `/admin/` behind the admin key. */
export function adminRoutes(app: FastifyInstance, deps: AdminDeps): void {
  healthRoutes(app, deps);
  void app.register((admin, _options, done) => {
    admin.addHook('onRequest', (request, _reply, next) => next(refuseStranger(request, deps.adminKey) ?? undefined));
    keyRoutes(admin, deps);
    requestRoutes(admin, deps);
    fleetRoutes(admin, deps);
    done();
  });
}

function refuseStranger(request: FastifyRequest, adminKey: string): MeridianError | null {
  const presented = sha256(request.headers.authorization ?? '');
  if (timingSafeEqual(presented, sha256(`Bearer ${adminKey}`))) return null;
  return new MeridianError('invalid_api_key', { message: "Send the admin key in the header 'Authorization: Bearer …'." });
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
