import type { FastifyInstance } from 'fastify';
import type { Accounts, KeyStore } from '../../accounts/index.ts';
import type { BillingDesk, Journal, LedgerService } from '../../billing/index.ts';
import type { Fleet } from '../../health/index.ts';
import type { ModelAlias } from '../model-alias.ts';
import type { ModelOptions } from '../options.ts';
import type { RouteLog } from '../route-log.ts';
import { fleetRoutes, type FleetOperations } from './fleet-routes.ts';
import { healthRoutes, type HealthProbes } from './health-routes.ts';
import { keyRoutes } from './key-routes.ts';
import { identify, refuseOrganizations } from './admin-identity.ts';
import { adminKeyRoutes } from './admin-key-routes.ts';
import { noteIn } from './audited.ts';
import { configRoutes, type ConfigDeps } from './config-routes.ts';
import { auditLogRoutes } from './audit-log-routes.ts';
import { budgetRoutes, type BudgetDeps } from './budget-routes.ts';
import { costsRoutes } from './costs-routes.ts';
import { creditRoutes, type CreditDeps } from './credit-routes.ts';
import { customerRoutes, type CustomerDeps } from './customer-routes.ts';
import { invoiceRoutes, type InvoiceDeps } from './invoice-routes.ts';
import { ledgerRoutes } from './ledger-routes.ts';
import { nodeRoutes, type NodeDeps } from './node-routes.ts';
import { organizationRoutes } from './organization-routes.ts';
import { priceRoutes, type PriceDeps } from './price-routes.ts';
import { projectKeyRoutes } from './project-key-routes.ts';
import { projectRoutes } from './project-routes.ts';
import { reconcileRoutes } from './reconcile-routes.ts';
import { requestRoutes } from './request-routes.ts';
import { schemaCheck } from './schema-check.ts';
import { webhookRoutes, type WebhookDeps } from './webhook-routes.ts';
import { usageRoutes, type UsageDeps } from './usage-routes.ts';

type BillingDeps = Omit<BudgetDeps & CreditDeps & CustomerDeps & InvoiceDeps & PriceDeps & WebhookDeps, 'note'>;

export interface AdminDeps extends HealthProbes, FleetOperations, NodeDeps, UsageDeps, BillingDeps, ConfigDeps {
  readonly adminKey: string;
  readonly keys: KeyStore;
  readonly accounts: Accounts;
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

/**
 * Administration: health and metrics open to the listener's network, everything else behind admin keys. What stands under
 * `/v1/organization/` is open to an organization's administrators, for their own; what stands under `/admin/` to the operator.
 */
export function adminRoutes(app: FastifyInstance, deps: AdminDeps): void {
  app.setValidatorCompiler(schemaCheck);
  healthRoutes(app, deps);
  const { tenants, audit } = deps.accounts;
  const wallMs = (): number => deps.clock.wallMs();
  void app.register((admin, _options, done) => {
    admin.addHook('onRequest', (request) => identify(request, deps));
    usageRoutes(admin, deps);
    costsRoutes(admin, deps);
    projectRoutes(admin, { tenants, modelNames: () => [...deps.models.keys()] });
    projectKeyRoutes(admin, { tenants, keys: deps.keys, wallMs });
    adminKeyRoutes(admin, { keys: deps.keys, wallMs });
    auditLogRoutes(admin, { audit });
    done();
  });
  void app.register((operator, _options, done) => {
    operator.addHook('onRequest', async (request) => {
      await identify(request, deps);
      refuseOrganizations(request);
    });
    organizationRoutes(operator, { tenants });
    keyRoutes(operator, deps);
    requestRoutes(operator, deps);
    const noting = { ...deps, note: noteIn(audit) };
    configRoutes(operator, noting);
    fleetRoutes(operator, noting);
    nodeRoutes(operator, noting);
    priceRoutes(operator, noting);
    creditRoutes(operator, noting);
    budgetRoutes(operator, noting);
    customerRoutes(operator, noting);
    invoiceRoutes(operator, noting);
    reconcileRoutes(operator, noting);
    webhookRoutes(operator, noting);
    ledgerRoutes(operator, deps);
    done();
  });
}
