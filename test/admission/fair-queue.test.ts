import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairQueue, type FairRequest } from '../../src/admission/index.ts';
import { PRIORITIES, type Priority } from '../../src/core/index.ts';

type Request = FairRequest<string>;

function request(item: string, organization: string, more: Partial<Request> = {}): Request {
  return { item, organization, priority: 'standard', inputTokens: 100, outputTokens: 50, deadlineMs: 1_000, ...more };
}

function queueOf(waitingMax = 1_000, triesMax = 16): FairQueue<string> {
  return new FairQueue({ waitingMax, triesMax });
}

/** Places one after the other, whatever may go; the order in which they went. */
function drained(queue: FairQueue<string>, now = 0): string[] {
  const order: string[] = [];
  queue.pump(now, ({ item }) => order.push(item) > 0);
  return order;
}

describe('the fair queue', () => {
  test('places a higher class first, then the organisation that was served less, then who came first', () => {
    const queue = queueOf();
    queue.shares.add('a', { inputTokens: 1_000, outputTokens: 0 }, 0);
    for (const [item, organization, priority] of [
      ['a1', 'a', 'standard'],
      ['b1', 'b', 'standard'],
      ['b2', 'b', 'standard'],
      ['c1', 'c', 'batch'],
      ['a0', 'a', 'critical'],
    ] as const) queue.enter(request(item, organization, { priority }), 0);
    expect(drained(queue)).toEqual(['a0', 'b1', 'a1', 'b2', 'c1']);
    expect(queue.length).toBe(0);
  });

  test('serves two that always wait alike in weighted tokens, within one request', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(sizes, sizes, fc.integer({ min: 1, max: 79 }), (ofA, ofB, placedMax) => {
        const queue = queueOf();
        for (const [organization, tokens] of [['a', ofA], ['b', ofB]] as const) {
          for (const [i, inputTokens] of tokens.entries()) queue.enter(request(`${organization}${i}`, organization, { inputTokens, outputTokens: inputTokens }), 0);
        }
        const served = { a: 0, b: 0 };
        const left = { a: 40, b: 40 };
        queue.pump(0, ({ organization, inputTokens }) => {
          const who = organization === 'a' ? 'a' : 'b';
          served[who] += 3 * inputTokens;
          left[who] -= 1;
          return true;
        }, placedMax);
        // Fewer than a hundred are forgotten, as of one who was not served lately.
        if (left.a > 0 && left.b > 0) expect(Math.abs(served.a - served.b)).toBeLessThan(3 * 500 + 100);
      }),
    );
  });

  test('row 26: lets one that floods keep another waiting for no more than a request', () => {
    const queue = queueOf();
    for (let i = 0; i < 500; i += 1) queue.enter(request(`flood${i}`, 'flood'), 0);
    queue.pump(0, () => true, 100);
    queue.enter(request('other', 'other'), 0);
    const order: string[] = [];
    queue.pump(0, ({ item }) => order.push(item) > 0, 3);
    expect(order).toContain('other');
  });

  test('gives no credit for silence: who comes back starts where the others are', () => {
    const queue = queueOf();
    queue.shares.add('busy', { inputTokens: 100_000, outputTokens: 0 }, 0);
    for (let i = 0; i < 10; i += 1) queue.enter(request(`busy${i}`, 'busy'), 0);
    for (let i = 0; i < 10; i += 1) queue.enter(request(`back${i}`, 'back'), 0);
    const order: string[] = [];
    queue.pump(0, ({ item }) => order.push(item) > 0, 10);
    expect(order.filter((item) => item.startsWith('busy')).length).toBeGreaterThanOrEqual(4);
  });

  test('forgets what was served: half of it each minute', () => {
    const { shares } = queueOf();
    shares.add('a', { inputTokens: 800, outputTokens: 100 }, 0);
    expect(shares.of('a', 0)).toBe(1_000);
    expect(shares.of('a', 120_000)).toBeCloseTo(250);
    // Many doublings later the sums are brought down, and still right.
    shares.add('b', { inputTokens: 100, outputTokens: 0 }, 60_000 * 500);
    expect([shares.of('a', 60_000 * 500), shares.of('b', 60_000 * 500)]).toEqual([expect.closeTo(0), expect.closeTo(100)]);
  });

  test('knows who was served far more than the others', () => {
    const { shares } = queueOf();
    for (const name of ['a', 'b', 'c', 'd']) shares.add(name, { inputTokens: 100, outputTokens: 0 }, 0);
    expect(shares.isOverShare('a', 0)).toBe(false);
    for (let i = 0; i < 16; i += 1) shares.add(`other ${i}`, { inputTokens: 100, outputTokens: 0 }, 0);
    shares.add('a', { inputTokens: 1_000, outputTokens: 0 }, 0);
    expect(shares.isOverShare('a', 0)).toBe(false);
    shares.add('a', { inputTokens: 2_000, outputTokens: 0 }, 0);
    expect([shares.isOverShare('a', 0), shares.isOverShare('b', 0)]).toEqual([true, false]);
  });

  test('does not count those among them who were served long ago', () => {
    const { shares } = queueOf();
    for (let i = 0; i < 50; i += 1) shares.add(`once ${i}`, { inputTokens: 1_000, outputTokens: 0 }, 0);
    const later = 60_000 * 10;
    for (const name of ['a', 'b']) shares.add(name, { inputTokens: 5_000, outputTokens: 0 }, later);
    expect([shares.isOverShare('a', later), shares.isOverShare('b', later)]).toEqual([false, false]);
  });

  test('goes on past one whose first request cannot go, and gives up after so many tries', () => {
    const queue = queueOf(1_000, 3);
    for (const name of ['a', 'b', 'c', 'd', 'e']) queue.enter(request(name, name), 0);
    const tried: string[] = [];
    const placed = queue.pump(0, ({ item }) => {
      tried.push(item);
      return item === 'c';
    });
    expect([placed, tried]).toEqual([1, ['a', 'b', 'c', 'a', 'b', 'd']]);
  });

  test('when full drops the newest of whoever has most waiting, and of that the lowest class', () => {
    const queue = queueOf(4);
    for (const [item, organization, priority] of [
      ['a1', 'a', 'batch'],
      ['a2', 'a', 'standard'],
      ['a3', 'a', 'standard'],
      ['b1', 'b', 'standard'],
    ] as const) expect(queue.enter(request(item, organization, { priority }), 0)).toBeNull();
    expect(queue.enter(request('b2', 'b'), 0)?.item).toBe('a1');
    expect(queue.enter(request('b3', 'b'), 0)?.item).toBe('b3');
  });

  test('tells how long it would take at the pace of late, within bounds', () => {
    const queue = queueOf();
    expect(queue.retryAfterMs('a', 'standard', 0)).toBe(1_000);
    // 60,000 weighted tokens in the last instant count as about 693 a second.
    queue.shares.add('other', { inputTokens: 60_000, outputTokens: 0 }, 0);
    for (let i = 0; i < 50; i += 1) queue.enter(request(`a${i}`, 'a'), 0);
    const waitMs = queue.retryAfterMs('a', 'standard', 0);
    expect(waitMs).toBeGreaterThan(10_000);
    expect(waitMs).toBeLessThan(20_000);
    for (let i = 0; i < 900; i += 1) queue.enter(request(`b${i}`, 'a'), 0);
    expect(queue.retryAfterMs('a', 'standard', 0)).toBe(60_000);
  });

  test('ends each request exactly once, whatever happens, and keeps its bound', () => {
    const organization = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('enter'), organization, priority: fc.constantFrom<Priority>(...PRIORITIES), waitMs: fc.nat(50) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('pump'), chance: fc.array(fc.boolean(), { minLength: 1, maxLength: 9 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove'), at: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait'), forMs: fc.nat(30) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = queueOf(6, 4);
        const waiting = new Map<string, Request>();
        const over = (one: Request): void => expect(waiting.delete(one.item)).toBe(true);
        let now = 0;
        let number = 0;
        for (const one of steps) {
          if ('organization' in one) {
            number += 1;
            const entry = request(String(number), one.organization, { priority: one.priority, deadlineMs: now + one.waitMs });
            waiting.set(entry.item, entry);
            const dropped = queue.enter(entry, now);
            if (dropped !== null) over(dropped);
          } else if ('chance' in one) {
            let n = 0;
            queue.pump(now, (entry) => {
              n += 1;
              const goes = one.chance[n % one.chance.length] ?? false;
              if (goes) over(entry);
              return goes;
            });
          } else if ('at' in one) {
            const left = [...waiting.values()][one.at];
            if (left === undefined) continue;
            expect(queue.remove(left)).toBe(true);
            expect(queue.remove(left)).toBe(false);
            over(left);
          } else {
            now += one.forMs;
            for (const late of queue.expire(now)) over(late);
            for (const { deadlineMs } of waiting.values()) expect(deadlineMs).toBeGreaterThan(now);
          }
          expect(queue.length).toBe(waiting.size);
          expect(queue.length).toBeLessThanOrEqual(6);
        }
      }),
    );
  });
});
