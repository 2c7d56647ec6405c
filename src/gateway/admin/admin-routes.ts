import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { KeyStore } from '../../accounts/index.ts';
import type { BillingDesk, Journal, LedgerService } from '../../billing/index.ts';
import { MeridianError } from '../../core/index.ts';
import type { Fleet } from '../../health/index.ts';
import type { ModelAlias } from '../model-alias.ts';
import type { ModelOptions } from '../options.ts';
import type { RouteLog } from '../route-log.ts';
import { fleetRoutes, type FleetOperations } from './fleet-routes.ts';
import { healthRoutes, type HealthProbes } from './health-routes.ts';
import { keyRoutes } from './key-routes.ts';
import { budgetRoutes, type BudgetDeps } from './budget-routes.ts';
import { costsRoutes } from './costs-routes.ts';
import { creditRoutes, type CreditDeps } from './credit-routes.ts';
import { customerRoutes, type CustomerDeps } from './customer-routes.ts';
import { invoiceRoutes, type InvoiceDeps } from './invoice-routes.ts';
import { requestRoutes } from './request-routes.ts';
import { schemaCheck } from './schema-check.ts';
import { usageRoutes, type UsageDeps } from './usage-routes.ts';

type BillingDeps = BudgetDeps & CreditDeps & CustomerDeps & InvoiceDeps;

export interface AdminDeps extends HealthProbes, FleetOperations, UsageDeps, BillingDeps {
  readonly adminKey: string;
  readonly keys: KeyStore;
  readonly ledger: LedgerService;
  readonly desk: BillingDesk;
  readonly journal: Journal;
  readonly fleet: Fleet;
  readonly models: ReadonlyMap<string, ModelOptions>;
  readonly aliases: ReadonlyMap<string, ModelAlias>;
  /** Whether a request has reached an attempt and is not settled. */
  readonly routeLog: RouteLog;
  readonly isUnderWay: (request: string) => boolean;
}

/** Administration: health and metrics open to the listener's network, everything under `/admin/` and `/v1/` behind the admin key. */
export function adminRoutes(app: FastifyInstance, deps: AdminDeps): void {
  app.setValidatorCompiler(schemaCheck);
  healthRoutes(app, deps);
  void app.register((admin, _options, done) => {
    admin.addHook('onRequest', (request, _reply, next) => next(refuseStranger(request, deps.adminKey) ?? undefined));
    keyRoutes(admin, deps);
    requestRoutes(admin, deps);
    fleetRoutes(admin, deps);
    usageRoutes(admin, deps);
    costsRoutes(admin, deps);
    creditRoutes(admin, deps);
    budgetRoutes(admin, deps);
    customerRoutes(admin, deps);
    invoiceRoutes(admin, deps);
    done();
  });
}

function refuseStranger(request: FastifyRequest, adminKey: string): MeridianError | null {
  const presented = sha256(request.headers.authorization ?? '');
  if (timingSafeEqual(presented, sha256(`Bearer ${adminKey}`))) return null;
  const isGiven = request.headers.authorization !== undefined;
  const message = isGiven ? 'Incorrect admin key provided.' : "Send the admin key in the header 'Authorization: Bearer …'.";
  return new MeridianError('invalid_api_key', { message });
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
