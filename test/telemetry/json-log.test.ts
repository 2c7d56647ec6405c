import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Logger } from '../../src/core/index.ts';
import { jsonLog, type LogLevel } from '../../src/telemetry/index.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A stream that keeps what is written, and the log that writes to it. */
function logged(level: LogLevel = 'debug'): { log: Logger; lines: () => Record<string, unknown>[]; text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const log = jsonLog({ level, stream, clock: new ManualClock(Date.UTC(2026, 5, 1, 12, 0, 0, 7)) });
  const lines = (): Record<string, unknown>[] => text.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, text: () => text };
}

/** The fields of a line as they were logged. */
function shown(fields: object): Record<string, unknown> {
  const { log, lines } = logged();
  log.info(fields, 'm');
  return lines()[0] ?? {};
}

test('a line is one JSON object with time, level, message and the fields', () => {
  const { log, text } = logged();
  log.warn({ node: 'a', queued: 3, reason: 'line\nbreak' }, 'node link is down');
  expect(text()).toBe(
    '{"time":"2026-06-01T12:00:00.007Z","level":"warn","message":"node link is down","node":"a","queued":3,"reason":"line\\nbreak"}\n',
  );
});

test('what is under the level is not written', () => {
  const { log, lines } = logged('warn');
  log.debug({}, 'debug');
  log.info({}, 'info');
  log.warn({}, 'warn');
  log.error({}, 'error');
  expect(lines().map((line) => line['message'])).toEqual(['warn', 'error']);
});

test('fields do not stand in for time, level and message', () => {
  expect(shown({ time: 0, level: 'none', message: 'forged' })).toMatchObject({ level: 'info', message: 'm' });
});

describe('secrets and prompts', () => {
  test.each([
    'key', 'token', 'secret', 'authorization', 'Authorization', 'api_key', 'apiKey', 'apikey', 'x-api-key', 'APIKey',
    'accessToken', 'client_secret', 'password', 'cookie', 'set-cookie', 'cacheSalt', 'pepper', 'prompt', 'messages', 'body', 'input',
  ])('what is named %s is not shown, at any depth', (name) => {
    const secret = { [name]: 'hush', list: [{ deeper: { [name]: ['hush'] } }], map: new Map([[name, 'hush']]) };
    const fields = shown({ ...secret, cause: new Error('x', { cause: Object.assign(new Error('y'), secret) }) });
    expect(JSON.stringify(fields)).not.toContain('hush');
    expect(fields[name]).toBe('[redacted]');
  });

  test.each(['keyId', 'promptTokens', 'tokens', 'bodyBytes', 'firstTokenMs', 'monkey', 'inputs', 'content'])(
    'what is named %s is shown',
    (name) => {
      expect(shown({ [name]: 'plain' })[name]).toBe('plain');
    },
  );

  test('a key in a text is not shown, whatever it stands in', () => {
    const key = 'mk_live_0123456789abcdefABCDEF';
    const { log, text } = logged();
    log.error({ reason: `no such key: ${key}`, error: new Error(`Authorization: Bearer ${key}x`) }, `refused ${key}`);
    log.error({ header: 'authorization: bearer sk-abc.def' }, 'm');
    expect(text()).not.toMatch(/0123456789|abc\.def/);
    expect(text()).toContain('mk_live_[redacted]');
  });
});

describe('an error', () => {
  test('is shown with its own fields and the whole chain of its causes', () => {
    const root = new TypeError('fetch failed');
    const error = Object.assign(new Error('engine is gone', { cause: root }), { code: 'upstream_error', retryAfterMs: 5 });
    expect(shown({ error })['error']).toEqual({
      name: 'Error',
      message: 'engine is gone',
      stack: error.stack,
      code: 'upstream_error',
      retryAfterMs: 5,
      cause: { name: 'TypeError', message: 'fetch failed', stack: root.stack },
    });
  });

  test('in place of fields is a field', () => {
    expect(shown(new Error('gone'))).toMatchObject({ message: 'm', error: { name: 'Error', message: 'gone' } });
  });
});

test('what JSON has no form for does not end the line', () => {
  const cycle: Record<string, unknown> = { id: 1n, bytes: new Uint8Array(3), set: new Set([1]), at: new Date(0), none: undefined };
  cycle['self'] = cycle;
  expect(shown(cycle)).toMatchObject({ id: '1', bytes: '[3 bytes]', set: [1], at: '1970-01-01T00:00:00.000Z' });
  const hostile = {
    get value(): string {
      throw new Error('no');
    },
  };
  expect(shown(hostile)).toMatchObject({ message: 'm', unreadable: 'Error: no' });
});

test('lines nobody reads are dropped beyond a bound, and counted once there is room', () => {
  const written: string[] = [];
  const stream = { writableLength: 0, write: (line: string) => written.push(line) > 0 };
  const log = jsonLog({ level: 'info', stream, clock: new ManualClock(), bufferedBytesMax: 100 });
  stream.writableLength = 101;
  log.info({}, 'first');
  log.info({}, 'second');
  expect(written).toEqual([]);
  stream.writableLength = 0;
  log.info({}, 'third');
  log.info({}, 'fourth');
  expect(written.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: 'warn', lines: 2 },
    { message: 'third' },
    { message: 'fourth' },
  ]);
});
