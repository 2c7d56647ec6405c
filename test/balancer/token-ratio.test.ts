import { expect, test } from 'vitest';
import { TokenRatio } from '../../src/balancer/index.ts';

test('begins with what it is told, and comes near what is reported, for each model and kind of text apart', () => {
  const ratio = new TokenRatio();
  expect(ratio.estimate('m', 'ascii', 401)).toBe(101);
  for (let i = 0; i < 500; i += 1) ratio.learn('m', 'ascii', 1_000, 500);
  expect(ratio.estimate('m', 'ascii', 1_000)).toBeCloseTo(500, -1);
  expect(ratio.estimate('m', 'wide', 1_000)).toBe(250);
  expect(ratio.estimate('n', 'ascii', 1_000)).toBe(250);
  const told = new TokenRatio([['m', 2], ['n', 5]]);
  expect(['m', 'n', 'o'].map((model) => told.estimate(model, 'ascii', 1_000))).toEqual([500, 200, 250]);
});

test('is not led astray by one odd report', () => {
  const ratio = new TokenRatio();
  ratio.learn('m', 'ascii', 4_000_000, 1);
  ratio.learn('m', 'ascii', 100, 0);
  expect(ratio.estimate('m', 'ascii', 1_000)).toBeGreaterThan(180);
});
