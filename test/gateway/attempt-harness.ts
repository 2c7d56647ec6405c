import type { Dispatcher } from 'undici';
import { HedgeBudget, RetryBudget } from '../../src/admission/index.ts';
import { Router, type Placement } from '../../src/balancer/index.ts';
import { noLog, seededRng } from '../../src/core/index.ts';
import { ReplicaAccess, Sweep, type GatewayDeps } from '../../src/gateway/index.ts';
import type { RequestContext } from '../../src/gateway/context.ts';
import { attempt } from '../../src/gateway/stages/attempt.ts';
import { Fleet, type ReplicaIdentity } from '../../src/health/index.ts';
import { AttemptError, type Upstream } from '../../src/openai/index.ts';
import { RANK_OPTIONS } from '../balancer/rank-options.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { loadOf, readyReplica } from '../support/replicas.ts';

/** One dispatch to a replica, which a test answers as it likes. */
export interface Dispatched {
  readonly replica: string;
  readonly handler: Dispatcher.DispatchHandler;
  isAborted: boolean;
  fail(): void;
  answer(): void;
}

const PLACEMENT: Placement = { model: 'm', promptTokens: 1, outputTokens: 1, chain: new Uint32Array(0), tokensPerBlock: 128, session: null };

interface Options {
  readonly budgetMin?: number;
  readonly attemptsMax?: number;
  readonly hedgeAfterMs?: number | null;
  readonly firstTokenMs?: number;
}

/** The attempt stage over replicas that do nothing by themselves, on a clock that a test moves. */
export class AttemptHarness {
  readonly clock = new ManualClock();
  readonly fleet = new Fleet();
  readonly dispatched: Dispatched[] = [];
  readonly retries: RetryBudget;
  readonly deps: GatewayDeps;
  readonly context: RequestContext;
  readonly #router = new Router({ ...RANK_OPTIONS, regionPriceMs: {}, stickyMs: 0, prefixBlocksMax: 1, sessionsMax: 1 }, { next: () => 0 });

  constructor(replicas: Readonly<Record<string, Partial<ReplicaIdentity>>>, options: Options = {}) {
    for (const [id, identity] of Object.entries(replicas)) {
      const replica = readyReplica(id, identity, this.#upstream(id));
      replica.measured(1);
      replica.report(loadOf(), 0, 0);
      this.fleet.add(replica);
    }
    this.retries = new RetryBudget({ share: 0, windowMs: 60_000, reserve: options.budgetMin ?? 3 });
    this.deps = {
      clock: this.clock,
      router: this.#router,
      access: new ReplicaAccess([]),
      waitingRoom: { roomMayHaveCome() {} },
      settlements: { wait: () => Promise.resolve(null) },
      rng: seededRng(1),
      log: noLog,
      fleet: this.fleet,
      sweep: new Sweep(this.clock, 100, noLog),
      cacheSalt: () => '',
      retries: this.retries,
      metrics: { retried() {}, hedged() {} },
      hedges: new HedgeBudget(1),
      patience: {
        saw() {},
        firstTokenMs: () => options.firstTokenMs ?? 1_000,
        hedgeAfterMs: () => options.hedgeAfterMs ?? null,
        isCalm: () => true,
      },
      options: {
        retries: { attemptsMax: options.attemptsMax ?? 3, jitterMinMs: 10, jitterMaxMs: 10 },
        timeouts: { totalMs: 100_000, settlementMs: 0 },
        health: { ejectedShareMax: 1, panicShare: 0 },
      },
    } as unknown as GatewayDeps;
    this.context = {
      request: { id: 'req_1', endpoint: 'completions', startedMs: 0 },
      ask: { hints: { priority: 'standard' }, model: 'm', streamed: true, body: Buffer.alloc(0), promptTokensEstimate: 1 },
      key: { organization: 'org', regions: null },
      reply: { isGone: false, onGone() {} },
      shown: {},
      route: { attempts: [] },
      attempts: [],
      open: new Set(),
      closing: [],
      answeredBy: null,
      delivered: null,
      continued: null,
    } as unknown as RequestContext;
  }

  run(): ReturnType<typeof attempt> {
    const route = this.#router.route(PLACEMENT, this.fleet.serving('m'), 0);
    return attempt(this.context, { placement: PLACEMENT, route, heldMs: 0 }, this.deps);
  }

  /** Replicas that got an attempt, in order. */
  get tried(): string[] {
    return this.dispatched.map(({ replica }) => replica);
  }

  /** The `number`th dispatch, once it has been made. */
  async dispatch(number: number): Promise<Dispatched> {
    await this.until(() => this.dispatched.length >= number, `dispatch ${number} was not made`);
    return this.dispatched[number - 1] as Dispatched;
  }

  /** Lets everything that is ready run, until `isSo`. */
  async until(isSo: () => boolean, what: string): Promise<void> {
    for (let turn = 0; !isSo(); turn += 1) {
      if (turn > 1_000) throw new Error(what);
      await Promise.resolve();
    }
  }

  #upstream(replica: string): Upstream {
    return {
      lastDispatch: 1,
      dispatch: (_options, handler) => {
        const controller = {
          abort: (reason: Error) => {
            dispatched.isAborted = true;
            handler.onResponseError?.(controller as never, reason);
          },
        };
        const dispatched: Dispatched = {
          replica,
          handler,
          isAborted: false,
          fail: () => handler.onResponseError?.(controller as never, new AttemptError('unreachable', 'gone', null)),
          answer: () => {
            handler.onResponseStart?.(controller as never, 200, {});
            handler.onResponseData?.(controller as never, Buffer.from('data: {}\n\n'));
          },
        };
        handler.onRequestStart?.(controller as never, {});
        this.dispatched.push(dispatched);
        return true;
      },
    };
  }
}
