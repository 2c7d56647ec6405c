import { describe, expect, test } from 'vitest';
import { MeridianError, type Priority } from '../../src/core/index.ts';
import { requestHints, type RequestHints } from '../../src/gateway/request-hints.ts';

function hints(headers: Record<string, string>, cacheKey?: unknown, priorityMax: Priority = 'standard'): RequestHints {
  return requestHints(headers, cacheKey, { priorityMax });
}

function refusal(headers: Record<string, string>, priorityMax?: Priority): MeridianError {
  try {
    hints(headers, undefined, priorityMax);
  } catch (thrown) {
    if (thrown instanceof MeridianError) return thrown;
  }
  throw new Error('it should have been refused');
}

describe('the hints of a request', () => {
  test('are none by default', () => {
    expect(hints({ 'x-request-id': '1' })).toEqual({ session: null, priority: 'standard', deadlineMs: null });
  });

  test('are read from headers; a session also from prompt_cache_key, which a header goes before', () => {
    expect(hints({ 'x-meridian-session': 's/1', 'x-meridian-priority': 'batch', 'x-meridian-deadline-ms': '1500' }, 'other')).toEqual({
      session: 's/1',
      priority: 'batch',
      deadlineMs: 1_500,
    });
    expect(hints({}, 'cached').session).toBe('cached');
    expect(hints({}, 7).session).toBeNull();
  });

  test('have the class of a key that may not ask for the usual one', () => {
    expect(hints({}, undefined, 'batch').priority).toBe('batch');
    expect(hints({}, undefined, 'critical').priority).toBe('standard');
  });

  test.each([
    ['x-meridian-session', '', '1 to 128 visible ASCII characters'],
    ['x-meridian-session', 'x'.repeat(129), '1 to 128 visible ASCII characters'],
    ['x-meridian-session', 'a b', '1 to 128 visible ASCII characters'],
    ['x-meridian-priority', 'urgent', 'critical, standard, batch'],
    ['x-meridian-deadline-ms', '0', 'from 1 to 600000'],
    ['x-meridian-deadline-ms', '600001', 'from 1 to 600000'],
    ['x-meridian-deadline-ms', '1.5', 'from 1 to 600000'],
    ['x-meridian-deadline-ms', 'soon', 'from 1 to 600000'],
  ])('that are out of range are refused: %s: %s', (header, value, what) => {
    const error = refusal({ [header]: value });
    expect([error.code, error.param]).toEqual(['invalid_value', header]);
    expect(error.message).toContain(what);
  });

  test('that are not known are refused, with what may have been meant', () => {
    expect(refusal({ 'x-meridian-sesion': 'x' })).toMatchObject({ code: 'unknown_parameter', param: 'x-meridian-sesion' });
    expect(refusal({ 'x-meridian-sesion': 'x' }).message).toContain("'x-meridian-session'");
    expect(refusal({ 'x-meridian-colour-of-the-sky': 'x' }).message).toContain('Known are');
  });

  test('do not raise a priority above the key', () => {
    expect(refusal({ 'x-meridian-priority': 'critical' })).toMatchObject({ code: 'permission_denied', param: 'x-meridian-priority' });
    expect(hints({ 'x-meridian-priority': 'critical' }, undefined, 'critical').priority).toBe('critical');
  });
});
