import { describe, expect, test } from 'vitest';
import { EdgeHold, type Holdable } from '../../src/admission/index.ts';

const OPTIONS = {
  ttftObjectiveMs: 2_000,
  overShareWaitMs: 200,
  waitingMax: 10,
  triesMax: 16,
  deadlineMs: { critical: 1_000, standard: 1_000, batch: 5_000 },
};

/** Requests that go when the fleet would keep them waiting no longer than they may. */
class Fleet {
  waitMs = 0;
  readonly placed: string[] = [];
  readonly refused = new Map<string, number>();

  request(name: string, organization: string, more: Partial<Holdable> = {}): Holdable {
    return {
      organization,
      priority: 'standard',
      deadlineMs: null,
      inputTokens: 1_000,
      outputTokens: 100,
      place: (waitMsMax) => this.waitMs <= waitMsMax && this.placed.push(name) > 0,
      refuse: (retryAfterMs) => void this.refused.set(name, retryAfterMs),
      ...more,
    };
  }
}

describe('the hold at the edge', () => {
  test('lets a request go at once while some replica keeps it waiting no longer than the objective', () => {
    const [hold, fleet] = [new EdgeHold(OPTIONS), new Fleet()];
    fleet.waitMs = 2_000;
    expect(hold.arrive(fleet.request('a', 'org'), 0)).toBeNull();
    fleet.waitMs = 2_001;
    expect(hold.arrive(fleet.request('b', 'org'), 0)).not.toBeNull();
    expect([fleet.placed, hold.waiting]).toEqual([['a'], 1]);
  });

  test('lets those that wait go when room comes, and nobody of theirs before them', () => {
    const [hold, fleet] = [new EdgeHold(OPTIONS), new Fleet()];
    fleet.waitMs = 9_000;
    hold.arrive(fleet.request('a1', 'a'), 0);
    fleet.waitMs = 0;
    hold.arrive(fleet.request('a2', 'a'), 0);
    hold.arrive(fleet.request('b1', 'b'), 0);
    expect(fleet.placed).toEqual(['b1']);
    expect(hold.pump(10)).toBe(2);
    expect(fleet.placed).toEqual(['b1', 'a1', 'a2']);
  });

  test('keeps whoever was served far more than its share off replicas where others would wait behind it', () => {
    const [hold, fleet] = [new EdgeHold(OPTIONS), new Fleet()];
    for (let i = 0; i < 99; i += 1) hold.arrive(fleet.request(`flood${i}`, 'flood'), 0);
    for (let i = 0; i < 20; i += 1) hold.arrive(fleet.request(`${i}`, `other ${i}`), 0);
    fleet.placed.length = 0;
    fleet.waitMs = 500;
    hold.arrive(fleet.request('flood', 'flood'), 0);
    hold.arrive(fleet.request('other', 'other 1'), 0);
    expect(fleet.placed).toEqual(['other']);
    fleet.waitMs = 200;
    hold.pump(0);
    expect(fleet.placed).toEqual(['other', 'flood']);
  });

  test('keeps off who has much waiting, whatever it was served', () => {
    const [hold, fleet] = [new EdgeHold({ ...OPTIONS, waitingMax: 100 }), new Fleet()];
    fleet.waitMs = 9_000;
    for (let i = 0; i < 17; i += 1) hold.arrive(fleet.request(`a${i}`, 'a'), 0);
    fleet.waitMs = 500;
    hold.pump(0);
    expect(fleet.placed).toEqual([]);
    fleet.waitMs = 200;
    hold.pump(0, 2);
    // Two went, and fifteen waiting are not much any more.
    fleet.waitMs = 500;
    hold.pump(0);
    expect(fleet.placed.length).toBe(17);
  });

  test('refuses in time, by class and by the client\'s own deadline, whichever is sooner, and says when to come back', () => {
    const [hold, fleet] = [new EdgeHold(OPTIONS), new Fleet()];
    fleet.waitMs = 9_000;
    hold.arrive(fleet.request('soon', 'a', { deadlineMs: 100 }), 0);
    hold.arrive(fleet.request('usual', 'b', { deadlineMs: 99_000 }), 0);
    hold.arrive(fleet.request('patient', 'c', { priority: 'batch' }), 0);
    hold.expire(100);
    expect([...fleet.refused.keys()]).toEqual(['soon']);
    hold.expire(1_000);
    expect([...fleet.refused.keys()]).toEqual(['soon', 'usual']);
    hold.expire(5_000);
    expect(hold.waiting).toBe(0);
    for (const retryAfterMs of fleet.refused.values()) expect(retryAfterMs).toBeGreaterThanOrEqual(1_000);
  });

  test('forgets a request whose client left', () => {
    const [hold, fleet] = [new EdgeHold(OPTIONS), new Fleet()];
    fleet.waitMs = 9_000;
    const leave = hold.arrive(fleet.request('a', 'a'), 0);
    leave?.();
    fleet.waitMs = 0;
    hold.pump(0);
    expect([hold.waiting, fleet.placed, fleet.refused.size]).toEqual([0, [], 0]);
  });

  test('refuses one that floods when the queue is full, and not the others', () => {
    const [hold, fleet] = [new EdgeHold(OPTIONS), new Fleet()];
    fleet.waitMs = 9_000;
    for (let i = 0; i < 30; i += 1) hold.arrive(fleet.request(`flood${i}`, 'flood'), 0);
    hold.arrive(fleet.request('other', 'other'), 0);
    expect(fleet.refused.size).toBe(21);
    expect(fleet.refused.has('other')).toBe(false);
  });
});
