import { describe, expect, test } from 'vitest';
import { HedgeBudget, RetryBudget } from '../../src/admission/index.ts';

describe('the budget of retries', () => {
  const OPTIONS = { share: 0.1, windowMs: 60_000, reserve: 10 };

  /** How many of `wanted` retries are allowed at `now`. */
  const allowed = (budget: RetryBudget, wanted: number, now: number): number => Array.from({ length: wanted }, () => budget.trySpend(now)).filter(Boolean).length;

  test('is a share of the requests of late, and a few in any case', () => {
    const budget = new RetryBudget(OPTIONS);
    for (let i = 0; i < 500; i += 1) budget.began(i * 100);
    expect(allowed(budget, 1_000, 50_000)).toBe(50);
    expect(allowed(new RetryBudget(OPTIONS), 100, 0)).toBe(10);
  });

  test('makes the load of a fleet that fails grow by that share', () => {
    const budget = new RetryBudget(OPTIONS);
    let attempts = 0;
    for (let i = 0; i < 60_000; i += 1) {
      budget.began(i);
      attempts += 1 + allowed(budget, 2, i);
    }
    expect(attempts / 60_000).toBeGreaterThan(1.09);
    expect(attempts / 60_000).toBeLessThan(1.101);
  });

  test('forgets what is older than its window', () => {
    const budget = new RetryBudget(OPTIONS);
    for (let i = 0; i < 1_000; i += 1) budget.began(0);
    expect(allowed(budget, 200, 59_000)).toBe(100);
    expect(allowed(budget, 200, 130_000)).toBe(10);
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
