import { describe, expect, test } from 'vitest';
import { asMeridianError, ERROR_TABLE, MeridianError, type ErrorCode } from '../../src/core/index.ts';

const codes = Object.keys(ERROR_TABLE) as ErrorCode[];

describe('the error table', () => {
  test.each(codes)('%s has a status of error, a type and a sentence', (code) => {
    const { status, type, retryable, message } = ERROR_TABLE[code];
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(type).toMatch(/^[a-z_]+$/);
    expect(message).toMatch(/^[A-Z].*\.$/);
    // What the client did wrong stays wrong, and money does not come by itself; what failed here may work the next time.
    expect(retryable).toBe(code === 'idempotency_key_in_use' || (type !== 'insufficient_quota' && (status >= 500 || status === 408 || status === 429)));
  });
});

describe('an error of the table', () => {
  test('says what its row says unless it is told better', () => {
    expect(new MeridianError('overloaded')).toMatchObject({
      code: 'overloaded',
      message: ERROR_TABLE.overloaded.message,
      param: null,
      retryAfterMs: null,
      row: ERROR_TABLE.overloaded,
    });
    const cause = new Error('why');
    const error = new MeridianError('invalid_value', { message: 'n is too large', param: 'n', retryAfterMs: 5, cause });
    expect(error).toMatchObject({ message: 'n is too large', param: 'n', retryAfterMs: 5, cause });
  });

  test('is passed on as it is; anything else becomes an internal error that carries it', () => {
    const error = new MeridianError('not_found');
    expect(asMeridianError(error)).toBe(error);
    expect(asMeridianError('text')).toMatchObject({ code: 'internal_error', cause: 'text' });
    expect(asMeridianError(new TypeError('secret')).message).not.toContain('secret');
  });
});
