import { expect, test } from 'vitest';
import { InFlightLimit } from '../../src/admission/index.ts';
import { MeridianError } from '../../src/core/index.ts';

test('lets in as many as it may, and refuses one more with a retryable 503 that says when to come back', () => {
  const limit = new InFlightLimit(2);
  limit.enter();
  limit.enter();
  expect(limit.inFlight).toBe(2);
  let refusal: unknown;
  try {
    limit.enter();
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(MeridianError);
  expect(refusal).toMatchObject({ code: 'overloaded', retryAfterMs: 1000, row: { status: 503, retryable: true } });
  expect(limit.inFlight, 'a refused request takes no place').toBe(2);
});

test('a place that is given back can be taken again', () => {
  const limit = new InFlightLimit(1);
  limit.enter().release();
  expect(limit.inFlight).toBe(0);
  expect(() => limit.enter()).not.toThrow();
});

test('a place that is given back twice is a fault', () => {
  const limit = new InFlightLimit(2);
  const permit = limit.enter();
  limit.enter();
  permit.release();
  expect(() => permit.release()).toThrow('released twice');
  expect(limit.inFlight).toBe(1);
});
