import { expect, test } from 'vitest';
import { LocalSpending, type AttemptRecord, type UsageRecord } from '../../src/billing/index.ts';
import { MemoryPermit } from '../../src/admission/rate-limiter.ts';
import { Hold } from '../../src/billing/holds/hold.ts';
import { MeridianError, sumOf } from '../../src/core/index.ts';
import type { RequestContext } from '../../src/gateway/context.ts';
import type { AnswerOutcome } from '../../src/gateway/outcome.ts';
import { attempt } from '../../src/gateway/stages/attempt.ts';
import type { Plan } from '../../src/gateway/stages/plan.ts';
import { settle } from '../../src/gateway/stages/settle.ts';
import { SettlementInbox, type GatewayDeps } from '../../src/gateway/index.ts';
import { NO_USAGE } from '../../src/openai/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

const MADE = { model: 'm', promptTokens: 10, cachedTokens: 4, completionTokens: 7, reasoningTokens: 0 };
const FAILED: AnswerOutcome = { kind: 'failed', error: new MeridianError('upstream_error'), settlement: null, isRetryable: true, isReplicaFault: true, isAfterWork: false };
const ABORTED: AnswerOutcome = { kind: 'aborted', settlement: null };
const COMPLETED: AnswerOutcome = { kind: 'completed', settlement: null, whole: null };

function tried(outcome: AttemptRecord['outcome'], ttftMs: number | null): AttemptRecord {
  return {
    id: 'req_1-00',
    replica: 'n1',
    region: 'here',
    startedMs: 5,
    resumedTokens: 0,
    outcome,
    errorCode: null,
    usage: MADE,
    source: 'node',
    counted: null,
    predictedMs: 1,
    ttftMs,
    durationMs: 50,
  };
}

/** As much of a context as settling reads. */
function context(attempts: AttemptRecord[]): RequestContext {
  const part = {
    request: { id: 'req_1', endpoint: 'chat.completions', headers: {}, body: Buffer.alloc(0), startedMs: 0, admittedAtMs: 0 },
    key: { id: 'key_1', organization: 'o', project: 'p' },
    admission: { price: null, rate: new MemoryPermit([], 0), hold: new Hold(sumOf([]), 0, []) },
    ask: { model: 'm', streamed: true },
    reply: { isCommitted: false, isGone: false },
    attempts,
    answeredBy: null,
    continued: null,
  };
  return part as unknown as RequestContext;
}

async function settled(attempts: AttemptRecord[], outcome: AnswerOutcome): Promise<UsageRecord> {
  const written: UsageRecord[] = [];
  const journal = { settle: (record: UsageRecord) => Promise.resolve(void written.push(record)) } as unknown as GatewayDeps['journal'];
  const settlements = new SettlementInbox(new ManualClock(), () => Promise.resolve());
  const spending = new LocalSpending({ nowMs: 0, prepaid: [], budgets: [] }, () => {});
  const { record, durable } = settle(context(attempts), outcome, { clock: new ManualClock(), journal, settlements, spending });
  await durable;
  expect(written).toEqual([record]);
  return record;
}

test.each([
  ['a whole answer', [tried('completed', 9)], COMPLETED, MADE],
  ['an answer that broke after its first token', [tried('failed', 9)], FAILED, MADE],
  ['a client that left in mid-stream', [tried('aborted', 9)], ABORTED, MADE],
  ['a client that left in prefill', [tried('aborted', null)], ABORTED, MADE],
  ['a whole answer after a failure', [tried('failed', null), tried('completed', 9)], COMPLETED, MADE],
  ['a failure before the first token', [tried('failed', null)], FAILED, NO_USAGE],
  ['a client that left between a failure and the next attempt', [tried('failed', null)], ABORTED, NO_USAGE],
  ['a client that left before any attempt', [], ABORTED, NO_USAGE],
])('what is charged for %s', async (_what, attempts, outcome, usage) => {
  const record = await settled(attempts, outcome);
  expect(record.usage).toEqual(usage);
  expect(record.source).toBe(usage === MADE ? 'node' : 'none');
  expect(record.attempts).toEqual(attempts);
});

test('the record has the status that the client met', async () => {
  expect((await settled([tried('completed', 9)], COMPLETED)).status).toBe(200);
  expect((await settled([tried('failed', null)], FAILED)).status).toBe(502);
  expect((await settled([tried('aborted', 9)], ABORTED)).status).toBe(499);
});

const NOWHERE: Plan = {
  placement: { model: 'm', promptTokens: 1, outputTokens: 1, chain: new Uint32Array(0), tokensPerBlock: 128, session: null },
  route: { candidates: [], chosenBy: 'cost', waitMs: Infinity },
  heldMs: 0,
};

test('a request that no replica would take any more ends in a failure that is settled like any other', async () => {
  const deps = { options: { retries: { attemptsMax: 3, jitterMinMs: 0, jitterMaxMs: 0 } }, hedges: { earn() {} }, retries: { began() {} }, clock: new ManualClock() } as unknown as GatewayDeps;
  const ended = await attempt(context([]), NOWHERE, deps);
  expect(ended).toMatchObject({ kind: 'ended', outcome: { kind: 'failed', error: { code: 'overloaded' }, isReplicaFault: false } });
});
