import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AttemptError, EngineAnswer, type Usage } from '../../src/openai/index.ts';
import { AbortRecorder, AnswerRecorder } from './answer-recorder.ts';
import { cut, cuts } from './cut.ts';

const LIMITS = { eventBytesMax: 2_000, answerBytesMax: 4_000 };
const SSE = { 'content-type': 'text/event-stream; charset=utf-8' };
const JSON_TYPE = { 'content-type': 'application/json' };

interface Engine {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly chunks: readonly Buffer[];
  /** How its connection ends. */
  readonly end?: 'end' | 'error' | 'open';
  readonly streamed?: boolean;
  readonly usageAsked?: boolean;
}

interface Heard {
  readonly recorder: AnswerRecorder;
  readonly controller: AbortRecorder;
}

function hear({ status = 200, headers = SSE, chunks, end = 'end', streamed = true, usageAsked = false }: Engine): Heard {
  const recorder = new AnswerRecorder();
  const controller = new AbortRecorder();
  const answer = new EngineAnswer(recorder, { streamed, usageAsked, continuable: false }, LIMITS);
  answer.onRequestStart(controller, {});
  answer.onResponseStart(controller, status, headers);
  for (const chunk of chunks) answer.onResponseData(controller, chunk);
  if (end === 'end') answer.onResponseEnd(controller);
  if (end === 'error') answer.onResponseError(controller, new Error('reset'));
  return { recorder, controller };
}

/** Offsets just past each event of `stream`. */
const eventEnds = (stream: string): number[] => [...stream.matchAll(/\n\n/g)].map(({ index }) => index + 2);

const counts = (completionTokens: number): Usage => ({ promptTokens: 5, cachedTokens: 2, completionTokens, reasoningTokens: 0 });
const engineUsage = (completionTokens: number): string =>
  `{"prompt_tokens":5,"completion_tokens":${completionTokens},"prompt_tokens_details":{"cached_tokens":2},"reasoning_tokens":0}`;
const clientUsage = (completionTokens: number): string =>
  `{"prompt_tokens":5,"completion_tokens":${completionTokens},"total_tokens":${5 + completionTokens},"prompt_tokens_details":{"cached_tokens":2},` +
  '"completion_tokens_details":{"reasoning_tokens":0},"prompt_cache_hit_tokens":2,"prompt_cache_miss_tokens":3}';

interface Told {
  readonly usage: string;
  readonly role: string;
  readonly text: (piece: string, made: number) => string;
  readonly finish: (made: number) => string;
}

/** How an engine with running counts tells an answer. */
const running: Told = tell((made) => `,"usage":${engineUsage(made)}`);
/** How a client that asked for usage is told it, and one that did not. */
const asked: Told = tell(() => ',"usage":null', clientUsage);
const bare: Told = tell(() => '', () => null);

function tell(usage: (made: number) => string, closing: (made: number) => string | null = engineUsage): Told {
  const event = (choice: string, made: number): string => `data: {"id":"c","choices":[${choice}]${usage(made)}}\n\n`;
  return {
    usage: ((text) => (text === null ? '' : `data: {"id":"c","choices":[],"usage":${text}}\n\n`))(closing(2)),
    role: event('{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}', 0),
    text: (piece, made) => event(`{"index":0,"delta":{"content":${JSON.stringify(piece)}},"finish_reason":null}`, made),
    finish: (made) => event('{"index":0,"delta":{},"finish_reason":"stop"}', made),
  };
}

function whole(told: Told): string {
  return told.role + told.text('Grüß', 1) + told.text('e 💡', 2) + told.finish(2) + told.usage;
}

const ENGINE = `: hello\n\n${whole(running)}data: [DONE]\n\n`;

describe('a streamed answer', () => {
  test.each([
    ['asked for usage', true, whole(asked)],
    ['did not ask', false, whole(bare)],
  ])('shows a client that %s what it may see, wherever the stream is cut', (_, usageAsked, expected) => {
    fc.assert(
      fc.property(cuts, (at) => {
        const { recorder } = hear({ chunks: cut(Buffer.from(ENGINE), at), usageAsked });
        expect(recorder.text).toBe(expected);
        expect(recorder.calls).toEqual(['start', 'data', 'end']);
        expect(recorder.status).toBe(200);
        expect(recorder.headers).toBe(SSE);
        expect(recorder.settlement).toEqual({ usage: counts(2), counted: counts(2), frames: 3 });
      }),
    );
  });

  test('is understood in CRLF too', () => {
    const { recorder } = hear({ chunks: [Buffer.from(ENGINE.replaceAll('\n', '\r\n'))] });
    expect(recorder.text).toBe(whole(bare));
    expect(recorder.calls.at(-1)).toBe('end');
  });

  test('passes on untouched bytes of an engine that says nothing of usage', () => {
    const stream = whole(bare);
    const { recorder } = hear({ chunks: [Buffer.from(`${stream}data: [DONE]\n\n`)] });
    expect(recorder.text).toBe(stream);
    expect(recorder.settlement).toEqual({ usage: null, counted: null, frames: 3 });
  });

  test('cut anywhere shows a prefix of it, and settles what was counted up to there', () => {
    fc.assert(
      fc.property(fc.nat({ max: ENGINE.length }), cuts, fc.constantFrom('end', 'error'), (length, at, end) => {
        const bytes = Buffer.from(ENGINE).subarray(0, length);
        const { recorder } = hear({ chunks: cut(bytes, at), end });
        const heard = bytes.toString();
        expect(whole(bare).startsWith(recorder.text)).toBe(true);
        /** Of role, two tokens, finish and usage, in this order. */
        const events = heard.split('\n\n').slice(0, -1).filter((event) => event.includes('choices')).length;
        expect(recorder.settlement).toEqual({
          usage: events === 5 ? counts(2) : null,
          counted: events === 0 ? null : counts(Math.min(2, events - 1)),
          frames: Math.min(3, Math.max(0, events - 1)),
        });
        const isWhole = end === 'end' && heard.endsWith('data: [DONE]\n\n');
        expect(recorder.calls.at(-1)).toBe(isWhole ? 'end' : 'error');
        if (!isWhole) expect(['broken', 'empty']).toContain(recorder.error?.kind);
      }),
      // Between two events, where a cut looks most like an end, chance seldom cuts.
      { numRuns: 300, examples: eventEnds(ENGINE).map((length): [number, number[], string] => [length, [], 'end']) },
    );
  });

  test('without [DONE] is broken: with several choices one may have ended and another not', () => {
    const { recorder } = hear({ chunks: [Buffer.from(ENGINE.replace('data: [DONE]\n\n', ''))] });
    expect(recorder.calls).toEqual(['start', 'data', 'error']);
    expect(recorder.error?.kind).toBe('broken');
  });

  test('without a finish reason is broken, even if it says [DONE]', () => {
    const { recorder } = hear({ chunks: [Buffer.from(`${running.text('a', 1)}data: [DONE]\n\n`)] });
    expect(recorder.calls).toEqual(['start', 'data', 'error']);
    expect(recorder.error).toMatchObject({ kind: 'broken', settlement: { usage: null, counted: counts(1), frames: 1 } });
  });

  test.each([
    ['nothing', ''],
    ['[DONE]', 'data: [DONE]\n\n'],
    ['the role', running.role],
    ['the role and usage', running.role + running.usage],
  ])('of only %s is empty, and shows not even its head', (_, stream) => {
    for (const usageAsked of [true, false]) {
      const { recorder } = hear({ chunks: [Buffer.from(stream)], usageAsked });
      expect(recorder.calls).toEqual(['error']);
      expect(recorder.error?.kind).toBe('empty');
    }
  });

  test('holds its opening back until there is a token', () => {
    const recorder = new AnswerRecorder();
    const answer = new EngineAnswer(recorder, { streamed: true, usageAsked: false, continuable: false }, LIMITS);
    const controller = new AbortRecorder();
    answer.onResponseStart(controller, 200, SSE);
    answer.onResponseData(controller, Buffer.from(running.role));
    expect(recorder.calls).toEqual([]);
    answer.onResponseData(controller, Buffer.from(running.text('a', 1)));
    expect(recorder.calls).toEqual(['start', 'data']);
    expect(recorder.text).toBe(bare.role + bare.text('a', 1));
  });

  test('that opens again and again without a token is given up at the bound', () => {
    const { recorder, controller } = hear({ chunks: Array.from({ length: 100 }, () => Buffer.from(running.role)), end: 'open' });
    expect(recorder.calls).toEqual(['error']);
    expect(recorder.error?.kind).toBe('empty');
    expect(controller.aborted).toBe(true);
  });

  test('that reports an error ends in it, after what came before', () => {
    const error = 'data: {"error":{"message":"out of memory","code":500}}\n\n';
    const { recorder, controller } = hear({ chunks: [Buffer.from(running.text('a', 1) + error)], end: 'error' });
    expect(recorder.calls).toEqual(['start', 'data', 'error']);
    expect(recorder.text).toBe(bare.text('a', 1));
    expect(recorder.error).toMatchObject({ kind: 'engine', message: 'out of memory', settlement: { counted: counts(1) } });
    expect(controller.aborted).toBe(true);
  });

  test.each([
    ['is not JSON', 'data: secret words\n\n'],
    ['is broken JSON', 'data: {"choices":[{"delta":{"content":"secret words"}}],"usage":{secret}}\n\n'],
    ['opens with broken JSON', 'data: {"choices":["secret words" oops]}\n\n'],
  ])('with an event that %s is broken, and its words are not repeated', (_, event) => {
    const { recorder } = hear({ chunks: [Buffer.from(event)] });
    expect(recorder.error).toMatchObject({ kind: 'broken', message: 'the engine sent an event that is not JSON' });
    expect(JSON.stringify([recorder.error?.message, recorder.error?.cause])).not.toContain('secret');
  });

  test('with an event over the bound is broken, wherever it is cut', () => {
    const stream = Buffer.from(running.text('a', 1) + running.text('x'.repeat(LIMITS.eventBytesMax), 2));
    fc.assert(
      fc.property(cuts, (at) => {
        const { recorder, controller } = hear({ chunks: cut(stream, at), end: 'error' });
        expect(recorder.text).toBe(bare.text('a', 1));
        expect(recorder.error).toMatchObject({ kind: 'broken', message: 'a server-sent event is longer than 2000 bytes' });
        expect(controller.aborted).toBe(true);
      }),
    );
  });

  test('ends once, whatever the engine does afterwards', () => {
    const recorder = new AnswerRecorder();
    const controller = new AbortRecorder();
    const answer = new EngineAnswer(recorder, { streamed: true, usageAsked: false, continuable: false }, LIMITS);
    answer.onResponseStart(controller, 200, SSE);
    answer.onResponseData(controller, Buffer.from(ENGINE));
    answer.onResponseEnd(controller);
    answer.onResponseData(controller, Buffer.from(running.text('late', 3)));
    answer.onResponseError(controller, new Error('late'));
    answer.onResponseEnd(controller);
    expect(recorder.calls).toEqual(['start', 'data', 'end']);
  });
});

describe('an answer in one piece', () => {
  const body = (usage: string): string => `{ "id":"c", "choices":[{"x":1.0,"text":"ü"}],"usage": ${usage}, "z" : [1 ] }\n`;
  const engine = body(engineUsage(2));

  test('has its usage in the clients’ shape and every other byte as it was, wherever it is cut', () => {
    fc.assert(
      fc.property(cuts, (at) => {
        const { recorder } = hear({ headers: JSON_TYPE, chunks: cut(Buffer.from(engine), at), streamed: false });
        expect(recorder.text).toBe(body(clientUsage(2)));
        expect(recorder.calls).toEqual(['start', 'data', 'end']);
        expect(recorder.settlement).toEqual({ usage: counts(2), counted: counts(2), frames: 1 });
      }),
    );
  });

  test('is a fault where a stream was asked for', () => {
    const { recorder } = hear({ headers: JSON_TYPE, chunks: [Buffer.from(engine)], streamed: true });
    expect(recorder.calls).toEqual(['error']);
    expect(recorder.error?.kind).toBe('engine');
  });

  test('without usage passes as it is', () => {
    const { recorder } = hear({ headers: JSON_TYPE, chunks: [Buffer.from('{"data":[]}')], streamed: false });
    expect(recorder.text).toBe('{"data":[]}');
    expect(recorder.settlement).toEqual({ usage: null, counted: null, frames: 1 });
  });

  test.each([
    ['that is not JSON', '<html>secret', 'broken', 'the engine answered with something that is not JSON'],
    ['cut off', engine.slice(0, 40), 'broken', 'the engine answered with something that is not JSON'],
    ['with nothing in it', '', 'broken', 'the engine answered with something that is not JSON'],
    ['without a choice', '{"choices":[]}', 'empty', 'the engine answered without a choice'],
    ['that is an error', '{"error":{"message":"no"}}', 'engine', 'no'],
    ['over the bound', `"${'x'.repeat(LIMITS.answerBytesMax)}"`, 'engine', "the engine's answer is longer than 4000 bytes"],
  ])('%s fails, and nothing of it is shown', (_, text, kind, message) => {
    const { recorder } = hear({ headers: JSON_TYPE, chunks: [Buffer.from(text)], streamed: false });
    expect(recorder.calls).toEqual(['error']);
    expect(recorder.error).toMatchObject({ kind, message, settlement: { usage: null, counted: null, frames: 0 } });
  });

  test('of which nothing came is unreachable', () => {
    const recorder = new AnswerRecorder();
    new EngineAnswer(recorder, { streamed: false, usageAsked: false, continuable: false }, LIMITS).onResponseError(new AbortRecorder(), new Error('reset'));
    expect(recorder.error).toMatchObject({ kind: 'unreachable', message: 'reset' });
  });

  test('that breaks off is broken', () => {
    expect(hear({ headers: JSON_TYPE, chunks: [Buffer.from(engine)], end: 'error' }).recorder.error?.kind).toBe('broken');
  });

  test('of error passes with its status, byte for byte', () => {
    const { recorder } = hear({ status: 503, headers: JSON_TYPE, chunks: [Buffer.from('busy '), Buffer.from('<b>')], streamed: true });
    expect(recorder.status).toBe(503);
    expect(recorder.text).toBe('busy <b>');
    expect(recorder.settlement).toEqual({ usage: null, counted: null, frames: 0 });
  });
});

test('an attempt that was given up keeps the reason of whoever gave it up, with the count so far', () => {
  const recorder = new AnswerRecorder();
  const controller = new AbortRecorder();
  const answer = new EngineAnswer(recorder, { streamed: true, usageAsked: false, continuable: false }, LIMITS);
  answer.onResponseStart(controller, 200, SSE);
  answer.onResponseData(controller, Buffer.from(running.text('a', 1)));
  answer.onResponseError(controller, new AttemptError('timeout', 'too late', null));
  expect(recorder.error).toMatchObject({ kind: 'timeout', message: 'too late' });
  expect(answer.settlement).toEqual({ usage: null, counted: counts(1), frames: 1 });
  expect(recorder.settlement).toEqual(answer.settlement);
});
