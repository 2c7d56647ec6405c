import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeliveredAnswer } from '../../src/gateway/delivered.ts';
import { Delivered } from '../../src/gateway/delivered.ts';
import { SeamStop } from '../../src/gateway/seam-stop.ts';
import { Seam } from '../../src/gateway/seam.ts';

const DELIVERED: DeliveredAnswer = {
  id: 'first',
  created: 5,
  model: 'm',
  object: 'chat.completion.chunk',
  text: 'so far',
  reasoning: '',
  finishReason: null,
  hasToolCalls: false,
};
const USAGE = { promptTokens: 10, cachedTokens: 4, completionTokens: 7, reasoningTokens: 2 };

const event = (choices: object[], more: object = {}): string => `data: ${JSON.stringify({ id: 'second', created: 9, model: 'other', choices, ...more })}\n\n`;
const said = (delta: object, finish: string | null = null): string => event([{ index: 0, delta, finish_reason: finish }]);

/** The events that come out, as objects. */
function passed(seam: Seam, ...events: string[]): Record<string, unknown>[] {
  const text = events.map((one) => seam.pass(Buffer.from(one)).toString()).join('');
  return text.split('\n\n').filter((one) => one !== '').map((one) => JSON.parse(one.slice(6)) as Record<string, unknown>);
}

describe('a seam', () => {
  test("gives events the first part's id, time and model, and says the role once", () => {
    const out = passed(new Seam(DELIVERED, USAGE, []), said({ role: 'assistant', content: '' }), said({ content: ' and on' }), said({}, 'stop'));
    expect(out).toEqual([
      { id: 'first', created: 5, model: 'm', choices: [{ index: 0, delta: { content: ' and on' }, finish_reason: null }] },
      { id: 'first', created: 5, model: 'm', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
    ]);
  });

  test('sums up the usage: one prompt, and the tokens of both parts', () => {
    const usage = { prompt_tokens: 17, completion_tokens: 30, prompt_tokens_details: { cached_tokens: 16 }, completion_tokens_details: { reasoning_tokens: 1 } };
    const [out] = passed(new Seam(DELIVERED, USAGE, []), event([], { usage }));
    expect(out?.['usage']).toMatchObject({ prompt_tokens: 10, completion_tokens: 37, total_tokens: 47, prompt_cache_hit_tokens: 4, completion_tokens_details: { reasoning_tokens: 3 } });
  });

  test('takes for text what an engine takes for reasoning after the text has begun, and not before', () => {
    const after = passed(new Seam(DELIVERED, USAGE, []), said({ reasoning_content: ' more' }));
    expect(after[0]?.['choices']).toEqual([{ index: 0, delta: { content: ' more' }, finish_reason: null }]);
    const within = passed(new Seam({ ...DELIVERED, text: '', reasoning: 'hm' }, USAGE, []), said({ reasoning_content: ' more' }));
    expect(within[0]?.['choices']).toEqual([{ index: 0, delta: { reasoning_content: ' more' }, finish_reason: null }]);
  });

  test('ends the answer at a stop sequence that began before it', () => {
    const seam = new Seam({ ...DELIVERED, text: 'one\n' }, USAGE, ['\n\n']);
    expect(seam.isStopped).toBe(false);
    const out = passed(seam, said({ content: '\ntwo' }), said({ content: ' three' }));
    expect(out.map(({ choices }) => choices)).toEqual([[{ index: 0, delta: { content: '' }, finish_reason: 'stop' }]]);
    expect(seam.isStopped).toBe(true);
  });

  test('tells what it held back when the answer ends otherwise', () => {
    const out = passed(new Seam({ ...DELIVERED, text: 'one <' }, USAGE, ['<end>']), said({ content: 'e' }), said({ content: 'n' }), said({}, 'length'));
    expect(out.map(({ choices }) => (choices as { delta: { content?: string } }[])[0]?.delta.content ?? '').join('')).toBe('en');
  });
});

test('a stop sequence across a seam is found wherever the seam and the pieces lie', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 });
  const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(letters, fc.array(letters, { maxLength: 6 }), stops, (before, pieces, sequences) => {
      fc.pre(before !== '' && !sequences.some((stop) => before.includes(stop)));
      const seam = new SeamStop(before, sequences);
      let shown = pieces.map((piece) => seam.pass(piece)).join('');
      if (!seam.isMatched) shown += seam.release();
      const after = pieces.join('');
      const whole = before + after;
      const spans = sequences.some((stop) => {
        for (let at = Math.max(0, before.length - stop.length + 1); at < before.length; at += 1) if (whole.startsWith(stop, at)) return true;
        return false;
      });
      expect(seam.isMatched).toBe(spans);
      expect(shown).toBe(spans ? '' : after);
    }),
  );
});

describe('what was delivered', () => {
  test('is read from its bytes however they were cut, and however much there is', () => {
    const text = 'Wörter 🚀 and words. '.repeat(40);
    const events = Array.from(text).map((piece) => said({ content: piece }));
    const bytes = Buffer.from(said({ role: 'assistant', content: '' }) + said({ reasoning_content: 'hm' }) + events.join(''));
    expect(bytes.length).toBeGreaterThan(64 * 1024);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
        const delivered = new Delivered();
        let from = 0;
        for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
          delivered.add(bytes.subarray(from, cut));
          from = cut;
        }
        expect(delivered.read()).toEqual({ ...DELIVERED, id: 'second', created: 9, model: 'other', object: '', text, reasoning: 'hm' });
      }),
      { numRuns: 20 },
    );
  });

  test('tells tool calls and why it ended', () => {
    const delivered = new Delivered();
    expect(delivered.read()).toBeNull();
    delivered.add(Buffer.from(said({ tool_calls: [{ index: 0 }] }) + said({}, 'tool_calls')));
    expect(delivered.read()).toMatchObject({ hasToolCalls: true, finishReason: 'tool_calls' });
  });
});
