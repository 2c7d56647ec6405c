import { expect, test } from 'vitest';
import { versionOf, type ModelAlias } from '../../src/gateway/model-alias.ts';

function alias(...weights: number[]): ModelAlias {
  return { versions: weights.map((weight, i) => ({ model: `v${i + 1}`, weight })) };
}

const SESSIONS = Array.from({ length: 4_000 }, (_, i) => `session ${i}`);

test('versions get requests by their weight, and one without weight gets none', () => {
  const got = SESSIONS.map((session) => versionOf('chat', alias(9, 1, 0), session));
  const share = (model: string): number => got.filter((one) => one === model).length / got.length;
  expect(share('v1')).toBeGreaterThan(0.88);
  expect(share('v2')).toBeGreaterThan(0.08);
  expect(share('v3')).toBe(0);
});

test('a conversation keeps its version; a canary that grows takes conversations and gives none back', () => {
  for (const session of SESSIONS) {
    const before = versionOf('chat', alias(9, 1), session);
    expect(versionOf('chat', alias(9, 1), session)).toBe(before);
    if (before === 'v2') expect(versionOf('chat', alias(5, 5), session)).toBe('v2');
  }
});
