import { describe, expect, test } from 'vitest';
import { noLog } from '../../src/core/index.ts';
import { SettlementInbox, Sweep } from '../../src/gateway/index.ts';
import type { SettledMessage } from '../../src/link/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('the sweep', () => {
  test('calls every task each period with the time, until the task is taken away', () => {
    const clock = new ManualClock();
    const sweep = new Sweep(clock, 100, noLog);
    const seen: string[] = [];
    const forget = sweep.add((now) => seen.push(`a${now}`));
    sweep.add((now) => seen.push(`b${now}`));
    clock.advance(200);
    forget();
    clock.advance(100);
    expect(seen).toEqual(['a100', 'b100', 'a200', 'b200', 'b300']);
  });

  test('lets a task take itself away', () => {
    const clock = new ManualClock();
    const sweep = new Sweep(clock, 100, noLog);
    let calls = 0;
    const forget = sweep.add(() => {
      calls += 1;
      forget();
    });
    clock.advance(500);
    expect(calls).toBe(1);
  });

  test('goes on without a task that fails', () => {
    const clock = new ManualClock();
    const sweep = new Sweep(clock, 100, noLog);
    let calls = 0;
    sweep.add(() => {
      throw new Error('broken');
    });
    sweep.add(() => (calls += 1));
    clock.advance(300);
    expect(calls).toBe(3);
  });

  test('has one timer however many tasks there are, and none once it is closed', () => {
    const clock = new ManualClock();
    const sweep = new Sweep(clock, 100, noLog);
    for (let i = 0; i < 1_000; i += 1) sweep.add(() => {});
    expect(clock.pending).toBe(1);
    sweep.close();
    expect(clock.pending).toBe(0);
  });
});

describe('the settlement inbox', () => {
  const settlement = { usage: null, counted: null, frames: 3 };
  const keep = (late: SettledMessage[]) => async (message: SettledMessage) => void late.push(message);
  const settled = (attempt: string): SettledMessage => ({ type: 'settled', attempt, outcome: 'failed', settlement });

  test('hands a settlement to whoever waits for it, and to nobody else', async () => {
    const clock = new ManualClock();
    const late: SettledMessage[] = [];
    const inbox = new SettlementInbox(clock, keep(late));
    const waiting = inbox.wait('a', 100);
    await inbox.deliver(settled('b'));
    void inbox.deliver(settled('a'));
    expect(await waiting).toBe(settlement);
    expect(late).toEqual([settled('b')]);
    expect(clock.pending).toBe(0);
  });

  test('stops waiting in time; what comes then is late, and so is a second one', async () => {
    const clock = new ManualClock();
    const late: SettledMessage[] = [];
    const inbox = new SettlementInbox(clock, keep(late));
    const waiting = inbox.wait('a', 100);
    clock.advance(100);
    expect(await waiting).toBeNull();
    await inbox.deliver(settled('a'));
    await inbox.deliver(settled('a'));
    expect(late).toEqual([settled('a'), settled('a')]);
  });

  test('lets a node forget a count only once the request that took it is on disk', async () => {
    const inbox = new SettlementInbox(new ManualClock(), keep([]));
    const forgotten: string[] = [];
    const waiting = inbox.wait('a', 100);
    const first = inbox.deliver(settled('a')).then(() => forgotten.push('first'));
    const again = inbox.deliver(settled('a')).then(() => forgotten.push('again'));
    await waiting;
    expect(forgotten).toEqual([]);
    inbox.recorded('a');
    await Promise.all([first, again]);
    expect(forgotten).toEqual(['first', 'again']);
  });
});
