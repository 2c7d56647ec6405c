import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attemptId, requestId, ulid } from '../../src/core/index.ts';

const CROCKFORD = '[0-9A-HJKMNP-TV-Z]';
const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });

describe('ids', () => {
  test('have the same length and alphabet at any time', () => {
    fc.assert(
      fc.property(times, fc.integer({ min: 0, max: 99 }), (wallMs, n) => {
        const request = requestId(wallMs);
        expect(request).toMatch(new RegExp(`^req_${CROCKFORD}{26}$`));
        expect(attemptId(request, n)).toMatch(new RegExp(`^${request}-\\d\\d$`));
        expect(attemptId(request, n)).toHaveLength(33);
      }),
    );
  });

  test('sort by time', () => {
    fc.assert(
      fc.property(times, times, (a, b) => {
        fc.pre(a !== b);
        expect(ulid(a) < ulid(b)).toBe(a < b);
      }),
    );
  });

  test('spell the time as the ULID specification does', () => {
    expect(ulid(1_469_918_176_385).slice(0, 10)).toBe('01ARYZ6S41');
  });

  test('are not the same twice, within a millisecond too', () => {
    const ids = Array.from({ length: 20_000 }, () => ulid(1));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('of attempts are no prefix of one another', () => {
    const request = requestId(0);
    const ids = Array.from({ length: 100 }, (_, n) => attemptId(request, n));
    expect(new Set(ids).size).toBe(100);
    for (const id of ids) expect(ids.filter((other) => other.startsWith(id))).toEqual([id]);
  });
});
