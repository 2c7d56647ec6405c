import { expect, test } from 'vitest';
import { noLog, seededRng } from '../../src/core/index.ts';
import { Router } from '../../src/balancer/index.ts';
import { ReplicaAccess, Sweep, type GatewayDeps } from '../../src/gateway/index.ts';
import type { RequestContext } from '../../src/gateway/context.ts';
import { attempt } from '../../src/gateway/stages/attempt.ts';
import { Fleet } from '../../src/health/index.ts';
import { AttemptError, type Upstream } from '../../src/openai/index.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { readyReplica } from '../support/replicas.ts';
import { RANK_OPTIONS } from '../balancer/rank-options.ts';

const NAMES = ['a', 'b', 'c'];

test('a replica that is lost in the pause before its try costs no try', async () => {
  const clock = new ManualClock();
  const fleet = new Fleet();
  const tried: string[] = [];
  for (const id of NAMES) {
    const upstream: Upstream = {
      lastDispatch: 1,
      dispatch(_options, handler) {
        tried.push(id);
        handler.onResponseError?.({} as never, new AttemptError('unreachable', 'gone', null));
        return false;
      },
    };
    fleet.add(readyReplica(id, {}, upstream));
  }
  const router = new Router({ ...RANK_OPTIONS, regionPriceMs: {}, stickyMs: 0, prefixBlocksMax: 1, sessionsMax: 1 }, { next: () => 0 });
  const deps = {
    clock,
    router,
    access: new ReplicaAccess([]),
    waitingRoom: { roomMayHaveCome() {} },
    rng: seededRng(1),
    log: noLog,
    fleet,
    sweep: new Sweep(clock, 100, noLog),
    cacheSalt: () => '',
    options: { retries: { attemptsMax: 2, jitterMinMs: 10, jitterMaxMs: 10 }, timeouts: { firstTokenMs: 1_000, totalMs: 1_000 } },
  } as unknown as GatewayDeps;
  const context = {
    request: { id: 'req_1', endpoint: 'completions', startedMs: 0 },
    ask: { hints: { priority: 'standard' }, model: 'm', streamed: true, body: Buffer.alloc(0), promptTokensEstimate: 1 },
    key: { organization: 'org', regions: null },
    reply: { isGone: false, onGone() {} },
    route: { attempts: [] },
    attempts: [],
    current: null,
  } as unknown as RequestContext;
  const placement = { model: 'm', promptTokens: 1, outputTokens: 1, chain: new Uint32Array(0), tokensPerBlock: 128, session: null };
  const route = router.route(placement, NAMES.map((id) => fleet.get(id)).filter((replica) => replica !== undefined), 0);
  const over = attempt(context, { placement, route, heldMs: 0 }, deps);
  for (let turn = 0; clock.pending < 2; turn += 1) {
    if (turn > 1_000) throw new Error('the pause did not begin');
    await Promise.resolve();
  }
  fleet.remove('b');
  clock.advance(10);
  expect(await over).toMatchObject({ kind: 'ended', outcome: { kind: 'failed' } });
  expect(tried).toEqual(['a', 'c']);
});
