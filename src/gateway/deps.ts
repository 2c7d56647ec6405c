import type { KeyStore } from '../accounts/index.ts';
import type { HedgeBudget, InFlightLimit, Limiter, Overload, RetryBudget } from '../admission/index.ts';
import type { ExpectedOutput, Router, SharedSessions, TokenRatio } from '../balancer/index.ts';
import type { AnswerStore, BillingDesk, CurrentPrices, Journal, Spending } from '../billing/index.ts';
import type { Clock, Logger, Rng, Tracing } from '../core/index.ts';
import type { Fleet, Patience } from '../health/index.ts';
import type { ActiveRequests } from './active-requests.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { ModelAlias } from './model-alias.ts';
import type { GatewayOptions, ModelOptions } from './options.ts';
import type { ReplicaAccess } from './replica-access.ts';
import type { RouteLog } from './route-log.ts';
import type { SettlementInbox } from './settlement-inbox.ts';
import type { Sweep } from './sweep.ts';
import type { WaitingRoom } from './waiting-room.ts';

/** All that the stages work with; built once in `app.ts`. */
export interface GatewayDeps {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  readonly options: GatewayOptions;
  readonly models: ReadonlyMap<string, ModelOptions>;
  readonly aliases: ReadonlyMap<string, ModelAlias>;
  readonly access: ReplicaAccess;
  readonly waitingRoom: WaitingRoom;
  readonly keys: Pick<KeyStore, 'authenticate'>;
  /** Hex salt that keeps an organisation's KV cache its own. */
  readonly cacheSalt: (organization: string) => string;
  readonly inFlight: InFlightLimit;
  readonly rateLimiter: Limiter;
  readonly overload: Overload;
  readonly active: ActiveRequests;
  readonly fleet: Fleet;
  readonly router: Router;
  /** Where sessions are that this gateway has not seen; null for a gateway alone. */
  readonly sessions: SharedSessions | null;
  readonly tokenRatio: TokenRatio;
  readonly expectedOutput: ExpectedOutput;
  readonly patience: Patience;
  readonly hedges: HedgeBudget;
  readonly retries: RetryBudget;
  readonly routeLog: RouteLog;
  readonly journal: Journal;
  readonly prices: Pick<CurrentPrices, 'at'>;
  readonly answers: AnswerStore;
  readonly desk: Pick<BillingDesk, 'balance'>;
  readonly spending: Pick<Spending, 'place' | 'bounds' | 'leftFor' | 'settle' | 'void'>;
  readonly settlements: SettlementInbox;
  readonly sweep: Sweep;
  readonly metrics: GatewayMetrics;
  readonly tracing: Tracing;
  /** True once readiness has been off for its time after SIGTERM: from then on nothing new is taken. */
  readonly isDraining: () => boolean;
}
