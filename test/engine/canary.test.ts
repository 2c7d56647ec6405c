import { describe, expect, test } from 'vitest';
import { noLog } from '../../src/core/index.ts';
import { Canary, CANARY_DEFAULTS, EngineStatusError } from '../../src/engine/index.ts';
import { implausibility } from '../../src/engine/plausible-text.ts';
import { freeAnswer } from '../../src/sim/answer.ts';
import { ManualClock } from '../support/manual-clock.ts';

const GOOD = 'Sailors watched the stars, kept count of their speed with a knotted line, and drew their way on charts.';
const BAD = '\u{fffd}\u{fffd}}{;; zqxj0x00 \u2588'.repeat(8);
const OPTIONS = { ...CANARY_DEFAULTS, everyMs: 1_000, againMs: 100 };

/** A canary of an engine whose answers a test gives. */
function canaryOf(answer: () => Promise<string>, options = OPTIONS) {
  const clock = new ManualClock();
  const asked: object[] = [];
  let changes = 0;
  const client = {
    control: (_method: string, _path: string, body?: object) => {
      asked.push(body ?? {});
      return answer();
    },
  };
  const adapter = { prepareBody: (_path: string, body: Buffer) => body };
  const canary = new Canary({ clock, log: noLog, client, adapter, model: 'm', options }, () => (changes += 1));
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  return { canary, clock, asked, settle, changes: () => changes };
}

const completion = (content: string): string => JSON.stringify({ choices: [{ message: { content } }] });

describe('a canary', () => {
  test('passes an engine whose answer can be one, and asks again now and then', async () => {
    const { canary, clock, asked, settle, changes } = canaryOf(() => Promise.resolve(completion(GOOD)));
    canary.start();
    expect(canary.verdict.kind).toBe('untried');
    await settle();
    expect(canary.verdict.kind).toBe('passed');
    expect(asked).toMatchObject([{ model: 'm', max_tokens: 64, temperature: 0 }]);
    clock.advance(1_000);
    await settle();
    expect(asked.length).toBe(2);
    // A start is over once a prompt of a real length was answered; later ones are short.
    const lengths = asked.map((body) => JSON.stringify(body).length);
    expect(lengths[0]).toBeGreaterThan(2_048 * 4);
    expect(lengths[1]).toBeLessThan(500);
    expect(changes()).toBe(1);
  });

  test('fails one that writes garbage twice, and passes it again once it makes sense', async () => {
    let answer = GOOD;
    const { canary, clock, settle, changes } = canaryOf(() => Promise.resolve(completion(answer)));
    canary.start();
    await settle();
    answer = BAD;
    clock.advance(1_000);
    await settle();
    expect(canary.verdict.kind, 'once may be chance').toBe('passed');
    clock.advance(100);
    await settle();
    expect(canary.verdict).toMatchObject({ kind: 'failed', reason: expect.stringContaining('make no sense') as string });
    answer = GOOD;
    clock.advance(100);
    await settle();
    expect(canary.verdict.kind).toBe('passed');
    expect(changes()).toBe(3);
  });

  test('learns nothing from an engine that is too busy to answer, and asks it again', async () => {
    const { canary, clock, asked, settle } = canaryOf(() => Promise.reject(new EngineStatusError(503, '/v1')));
    canary.start();
    await settle();
    clock.advance(100);
    await settle();
    expect(canary.verdict.kind).toBe('untried');
    expect(asked.length).toBe(2);
  });

  test('passes an engine that knows no chats, and one it shall not ask', async () => {
    const unknowing = canaryOf(() => Promise.reject(new EngineStatusError(404, '/v1')));
    unknowing.canary.start();
    await unknowing.settle();
    expect(unknowing.canary.verdict.kind).toBe('passed');
    const off = canaryOf(() => Promise.reject(new Error('nobody asks')), { ...OPTIONS, tokens: 0 });
    off.canary.start();
    expect(off.canary.verdict.kind).toBe('passed');
    expect(off.asked).toEqual([]);
  });

  test('does not listen to what an engine said before it was gone', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { canary, settle } = canaryOf(() => promise);
    canary.start();
    canary.stop();
    resolve(completion(GOOD));
    await settle();
    expect(canary.verdict.kind).toBe('untried');
  });
});

describe('an answer', () => {
  test('of the simulated model can be one, whatever its seed', () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const { pieces } = freeAnswer({ prompt: [1, 4, 20], seed, maxTokens: 64, ignoreEnd: true, stops: [] });
      expect(implausibility(pieces.join(''))).toBeNull();
    }
  });

  test.each([
    ['nothing', ''],
    ['characters that are no text', BAD],
    ['one thing again and again', 'the the the the '.repeat(20)],
    ['one character', '!'.repeat(200)],
  ])('of %s cannot', (_what, text) => {
    expect(implausibility(text)).not.toBeNull();
  });

  test.each([
    ['prose', GOOD],
    ['other scripts', '船员观察星星，用绳结计算速度，并在海图上画出航线。🚀 Моряки следили за звёздами.'],
    ['lists and code', '1. one\n2. two\n\n```ts\nconst a = 1;\nconst b = 2;\n```\n\t- done'],
  ])('of %s can', (_what, text) => {
    expect(implausibility(text)).toBeNull();
  });
});
