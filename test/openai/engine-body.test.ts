import { describe, expect, test } from 'vitest';
import { errorBody, engineBody, readSettlement, settlementTrailers } from '../../src/openai/index.ts';
import { MeridianError } from '../../src/core/index.ts';

const body = (text: string, streamed: boolean, runningCounts: boolean, added?: Record<string, string>): string =>
  engineBody(Buffer.from(text), { streamed, runningCounts }, added).toString();

describe('the body an engine gets', () => {
  test('asks for usage when it is streamed, for running counts where the engine keeps them', () => {
    expect(body('{"stream":true}', true, false)).toBe('{"stream":true,"stream_options":{"include_usage":true}}');
    expect(body('{"stream":true}', true, true)).toBe(
      '{"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}',
    );
  });

  test("replaces what the client said of usage, and leaves every other byte the client's", () => {
    expect(body('{ "stream_options": {"include_usage": false}, "temperature": 1.0 }', true, false)).toBe(
      '{ "stream_options": {"include_usage":true}, "temperature": 1.0 }',
    );
    expect(body('{"stream_options":{},"top_k":5}', false, true)).toBe('{"top_k":5}');
  });

  test("takes the engine's own members in place of a client's", () => {
    expect(body('{"rid":"stolen","n":1,"\\u0072id":"again"}', false, true, { rid: '"r1"' })).toBe('{"rid":"r1","n":1}');
  });
});

test('an error body has all four keys, and no cause', () => {
  const error = new MeridianError('not_found', { cause: new Error('inner') });
  expect(errorBody(error)).toEqual({
    error: { message: 'There is nothing at this URL.', type: 'invalid_request_error', param: null, code: 'not_found' },
  });
});

test('a settlement comes back from the trailers it went into; without one there is none', () => {
  const settlement = { usage: null, counted: { promptTokens: 1, cachedTokens: 0, completionTokens: 2, reasoningTokens: 0 }, frames: 2 };
  expect(readSettlement(settlementTrailers(settlement))).toEqual(settlement);
  expect(readSettlement({ other: 'x' })).toBeNull();
});
