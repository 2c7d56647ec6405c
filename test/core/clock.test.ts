import { describe, expect, test } from 'vitest';
import { systemClock, wait } from '../../src/core/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('wait', () => {
  test('ends when its time has passed, and not before', async () => {
    const clock = new ManualClock();
    let isOver = false;
    const waited = wait(clock, 100).then(() => (isOver = true));
    clock.advance(99);
    await Promise.resolve();
    expect(isOver).toBe(false);
    clock.advance(1);
    await waited;
    expect(clock.pending).toBe(0);
  });

  test('ends at once when its signal aborts, and leaves no timer', async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const waited = wait(clock, 100, abort.signal);
    expect(clock.pending).toBe(1);
    abort.abort();
    await waited;
    expect(clock.pending).toBe(0);
  });

  test('does not begin when its signal is aborted already', async () => {
    const clock = new ManualClock();
    await wait(clock, 100, AbortSignal.abort());
    expect(clock.pending).toBe(0);
  });
});

describe('the system clock', () => {
  test('never goes back, and its wall time is that of the system', () => {
    const first = systemClock.now();
    expect(systemClock.now()).toBeGreaterThanOrEqual(first);
    const before = Date.now();
    const wallMs = systemClock.wallMs();
    expect(wallMs).toBeGreaterThanOrEqual(before);
    expect(wallMs).toBeLessThanOrEqual(Date.now());
  });

  test('runs a task later, a repeated one again, and a cancelled one never', async () => {
    const ran: string[] = [];
    const cancelled = systemClock.after(0, () => ran.push('cancelled'));
    cancelled();
    await new Promise<void>((resolve) => {
      // The clock's own timers do not keep a process alive; something else has to.
      const keptAlive = setInterval(() => {}, 1_000);
      const stop = systemClock.every(1, () => {
        if (ran.push('tick') < 2) return;
        stop();
        systemClock.after(0, () => {
          ran.push('after');
          clearInterval(keptAlive);
          resolve();
        });
      });
    });
    expect(ran).toEqual(['tick', 'tick', 'after']);
  });
});
