import { expect, test } from 'vitest';
import { attemptCount, UNCOUNTED } from '../../src/gateway/attempt-count.ts';
import { NO_USAGE, type Usage } from '../../src/openai/index.ts';

const FINAL: Usage = { promptTokens: 10, cachedTokens: 4, completionTokens: 7, reasoningTokens: 2 };
const RUNNING: Usage = { promptTokens: 10, cachedTokens: 4, completionTokens: 6, reasoningTokens: 2 };

test("the engine's final report comes first, with the running count beside it", () => {
  expect(attemptCount({ usage: FINAL, counted: RUNNING, frames: 9 }, { counted: null, frames: 9 }, 99)).toEqual({ usage: FINAL, source: 'engine', counted: RUNNING });
});

test('the running count comes second', () => {
  expect(attemptCount({ usage: null, counted: RUNNING, frames: 9 }, { counted: null, frames: 9 }, 99)).toEqual({ usage: RUNNING, source: 'node', counted: RUNNING });
});

test('an explicit zero is a count', () => {
  expect(attemptCount({ usage: null, counted: NO_USAGE, frames: 0 }, { counted: null, frames: 5 }, 99)).toMatchObject({ usage: NO_USAGE, source: 'node' });
});

test('the frames that came are an estimate, the most that anybody saw', () => {
  const usage = { promptTokens: 99, cachedTokens: 0, completionTokens: 5, reasoningTokens: 0 };
  expect(attemptCount(null, { counted: null, frames: 5 }, 99)).toEqual({ usage, source: 'gateway', counted: null });
  expect(attemptCount({ usage: null, counted: null, frames: 5 }, { counted: null, frames: 2 }, 99)).toEqual({ usage, source: 'gateway', counted: null });
});

test('what nobody saw is not counted', () => {
  expect(attemptCount(null, { counted: null, frames: 0 }, 99)).toEqual(UNCOUNTED);
  expect(attemptCount({ usage: null, counted: null, frames: 0 }, { counted: null, frames: 0 }, 99)).toEqual(UNCOUNTED);
});
