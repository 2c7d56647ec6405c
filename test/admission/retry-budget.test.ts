import { describe, expect, test } from 'vitest';
import { HedgeBudget, RetryBudget } from '../../src/admission/index.ts';

describe('the budget of retries', () => {
  test('lets a share of the requests under way be tried again, and a few in any case', () => {
    const budget = new RetryBudget({ share: 0.1, inFlightMin: 3 });
    const few = Array.from({ length: 5 }, () => budget.tryEnter(5));
    expect(few.filter((leave) => leave !== null).length).toBe(3);
    const more = Array.from({ length: 50 }, () => budget.tryEnter(220));
    expect(more.filter((leave) => leave !== null).length).toBe(17);
    expect(budget.retrying).toBe(20);
  });

  test('gets back what has ended, once', () => {
    const budget = new RetryBudget({ share: 0, inFlightMin: 1 });
    const leave = budget.tryEnter(10);
    expect(budget.tryEnter(10)).toBeNull();
    leave?.();
    expect(() => leave?.()).toThrow('ended twice');
    expect(budget.tryEnter(10)).not.toBeNull();
  });
});

test('the budget of hedges is saved up by requests, and not without bound', () => {
  const budget = new HedgeBudget(0.02);
  let spent = 0;
  for (let i = 0; i < 1_000; i += 1) {
    budget.earn();
    if (budget.trySpend()) spent += 1;
  }
  expect(spent).toBeGreaterThanOrEqual(19);
  expect(spent).toBeLessThanOrEqual(20);
  for (let i = 0; i < 10_000; i += 1) budget.earn();
  let together = 0;
  while (budget.trySpend()) together += 1;
  expect(together).toBe(5);
});
