import { expect, test } from 'vitest';
import { noLog, seededRng } from '../../src/core/index.ts';
import { Sweep, type GatewayDeps } from '../../src/gateway/index.ts';
import type { RequestContext } from '../../src/gateway/context.ts';
import { attempt } from '../../src/gateway/stages/attempt.ts';
import { Fleet, Replica } from '../../src/health/index.ts';
import { AttemptError, type Upstream } from '../../src/openai/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

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
    const identity = { id, node: id, region: 'here', engine: 'sglang', models: ['m'], contextTokens: 1, runningMax: null };
    const replica = new Replica(identity, upstream, { failuresMax: 3, openMs: 1, openMsMax: 1 }, seededRng(1));
    replica.setState('ready', '');
    fleet.add(replica);
  }
  const deps = {
    clock,
    rng: seededRng(1),
    log: noLog,
    fleet,
    sweep: new Sweep(clock, 100, noLog),
    cacheSalt: () => '',
    options: { retries: { attemptsMax: 2, jitterMinMs: 10, jitterMaxMs: 10 }, timeouts: { firstTokenMs: 1_000, totalMs: 1_000 } },
  } as unknown as GatewayDeps;
  const context = {
    request: { id: 'req_1', endpoint: 'completions', startedMs: 0 },
    ask: { streamed: true, body: Buffer.alloc(0), promptTokensEstimate: 1 },
    key: { organization: 'org' },
    reply: { isGone: false, onGone() {} },
    attempts: [],
    current: null,
  } as unknown as RequestContext;
  const candidates = NAMES.map((id) => ({ id, region: 'here', costMs: 1, terms: { rttMs: 1, queueMs: 0, prefillMs: 0 } }));
  const over = attempt(context, candidates, deps);
  while (clock.pending < 2) await Promise.resolve();
  fleet.remove('b');
  clock.advance(10);
  expect(await over).toMatchObject({ kind: 'ended', outcome: { kind: 'failed' } });
  expect(tried).toEqual(['a', 'c']);
});
