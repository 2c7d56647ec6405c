import { expect, test } from 'vitest';
import { answerHeaders } from '../../src/gateway/answer-headers.ts';
import type { ReceivedRequest } from '../../src/gateway/context.ts';
import { ManualClock } from '../support/manual-clock.ts';

const REQUEST: ReceivedRequest = { id: 'req_1', endpoint: 'completions', headers: {}, body: Buffer.alloc(0), startedMs: 0, admittedAtMs: 0 };

function headers(exposeReplica: boolean, isDraining = false) {
  const clock = new ManualClock();
  const shown = answerHeaders(REQUEST, { clock, options: { exposeReplica }, isDraining: () => isDraining });
  return { shown, clock };
}

test('an answer tells its request and how long it took, as of when it is sent', () => {
  const { shown, clock } = headers(true);
  clock.advance(41.6);
  expect(shown.read()).toEqual({ 'x-request-id': 'req_1', 'openai-version': '2020-10-01', 'openai-processing-ms': '42' });
});

test('what the stages learn is added', () => {
  const { shown } = headers(true);
  shown.organization = 'org_1';
  shown.replica = { id: 'n1', region: 'here' };
  expect(shown.read()).toMatchObject({ 'openai-organization': 'org_1', 'x-meridian-replica': 'n1', 'x-meridian-region': 'here' });
});

test('the replica is not named where that is switched off', () => {
  const { shown } = headers(false);
  shown.replica = { id: 'n1', region: 'here' };
  expect(Object.keys(shown.read()).filter((name) => name.startsWith('x-meridian'))).toEqual([]);
});

test('a gateway that drains asks clients to close their connections', () => {
  expect(headers(true, true).shown.read()).toMatchObject({ connection: 'close' });
});

test('a name that no header may hold is told as far as it goes', () => {
  const { shown } = headers(true);
  shown.replica = { id: 'nœud-1', region: 'here\r\nx: y' };
  expect(shown.read()).toMatchObject({ 'x-meridian-replica': 'n?ud-1', 'x-meridian-region': 'here??x: y' });
});
