import { beforeEach, describe, expect, test } from 'vitest';
import type { SettledMessage } from '../../src/link/index.ts';
import { SettlementOutbox } from '../../src/node/settlement-outbox.ts';

let sent: string[];
let dropped: string[];
let outbox: SettlementOutbox;

beforeEach(() => {
  sent = [];
  dropped = [];
  outbox = new SettlementOutbox({
    max: 3,
    unsureMs: 100,
    send: ({ attempt }) => sent.push(attempt) > 0,
    onDropped: ({ attempt }) => dropped.push(attempt),
  });
});

function settled(attempt: string): SettledMessage {
  return { type: 'settled', attempt, outcome: 'aborted', settlement: { usage: null, counted: null, frames: 0 } };
}

describe('the settlement outbox', () => {
  test('row 34: sends again what was not acknowledged, and only that', () => {
    outbox.add(settled('a'));
    outbox.add(settled('b'));
    outbox.acknowledged('a');
    outbox.resend();
    expect(sent).toEqual(['a', 'b', 'b']);
    expect(outbox.pending).toBe(1);
  });

  test('drops the oldest beyond its bound, and says so', () => {
    for (const attempt of ['a', 'b', 'c', 'd']) outbox.add(settled(attempt));
    expect(dropped).toEqual(['a']);
    expect(outbox.pending).toBe(3);
  });

  test('settles an end that a cancel crossed, once', () => {
    outbox.sentWithEnd(7, settled('a'), 0);
    outbox.cancelledLate(7);
    outbox.cancelledLate(7);
    outbox.cancelledLate(8);
    expect(sent).toEqual(['a']);
  });

  test('settles anew the ends that left shortly before the link broke', () => {
    outbox.sentWithEnd(1, settled('early'), 0);
    outbox.sentWithEnd(2, settled('late'), 950);
    outbox.lost(1_000);
    expect(sent).toEqual(['late']);
    outbox.lost(1_000);
    expect(sent).toEqual(['late']);
  });
});
