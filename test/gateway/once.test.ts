import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AnswerStore, type UsageRecord } from '../../src/billing/index.ts';
import { noLog } from '../../src/core/index.ts';
import { once, type Once } from '../../src/gateway/once.ts';
import { NO_USAGE } from '../../src/openai/index.ts';
import { recordOf } from '../billing/records.ts';
import { ManualClock } from '../support/manual-clock.ts';

const REPLY = { keep: () => {}, kept: null };

/** Looks the same key up, as often as it is called. */
function lookUp(): () => Once {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-once-'));
  const answers = new AnswerStore({ path: join(directory, 'answers.sqlite'), secret: Buffer.alloc(32), ttlMs: 1_000, bytesMax: 1_000, clock: new ManualClock() });
  onTestFinished(() => {
    answers.close();
    rmSync(directory, { recursive: true });
  });
  const request = { id: 'req_1', endpoint: 'chat.completions', headers: { 'idempotency-key': 'k' }, body: Buffer.from('{}'), startedMs: 0, admittedAtMs: 0 } as const;
  const key = { project: 'proj_a' };
  return () => once(request, key, { answers, options: { limits: { idempotentAnswerBytesMax: 1_000 } }, log: noLog });
}

const failed = (change: Partial<UsageRecord>): UsageRecord => ({ ...recordOf('req_1'), outcome: 'failed', ...change });

test('a key is free again after a request that cost nothing', () => {
  const look = lookUp();
  const first = look();
  first.dispatched(REPLY);
  first.settled(failed({ usage: NO_USAGE, chargedAttempt: null }), REPLY, null);
  expect(look().answer).toBeNull();
});

test.each([
  ['was charged', failed({})],
  ['may be charged once its node has told its count', failed({ usage: NO_USAGE, chargedAttempt: 'req_1-00' })],
])('a key does nothing twice after a request that %s', (_, record) => {
  const look = lookUp();
  const first = look();
  first.dispatched(REPLY);
  first.settled(record, REPLY, null);
  expect(look).toThrow(expect.objectContaining({ code: 'idempotency_result_gone' }));
});
