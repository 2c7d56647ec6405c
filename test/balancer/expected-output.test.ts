import { expect, test } from 'vitest';
import { ExpectedOutput } from '../../src/balancer/index.ts';

test('is learned per key and model, from the model as a whole until a key has shown its own', () => {
  const expected = new ExpectedOutput(10);
  for (let i = 0; i < 200; i += 1) expected.learn('talker', 'm', 900);
  expect(expected.estimate('talker', 'm', null)).toBeCloseTo(900, 0);
  expect(expected.estimate('newcomer', 'm', null)).toBeCloseTo(900, 0);
  for (let i = 0; i < 200; i += 1) expected.learn('terse', 'm', 10);
  expect(expected.estimate('terse', 'm', null)).toBeCloseTo(10, 0);
  expect(expected.estimate('talker', 'm', null)).toBeCloseTo(900, 0);
  expect(expected.estimate('talker', 'other', null)).toBe(256);
});

test('is never above the bound that the client has set', () => {
  expect(new ExpectedOutput(10).estimate('k', 'm', 20)).toBe(20);
});
