import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerParts, BLOCK_BYTES, continuedChain, promptChain } from '../../src/prefix/index.ts';

const ORIGIN = { salt: 'ab12', model: 'm' };
const CHAT = '/v1/chat/completions';

interface Message {
  readonly role: string;
  readonly content: unknown;
  readonly [more: string]: unknown;
}

function chat(messages: readonly Message[], more: object = {}, origin = ORIGIN): Uint32Array {
  return promptChain(CHAT, { messages, ...more }, origin).chain;
}

/** Blocks that two chains begin with alike. */
function common(one: Uint32Array, other: Uint32Array): number {
  let at = 0;
  while (at < one.length && one[at] === other[at] && one[at + 1] === other[at + 1]) at += 2;
  return at / 2;
}

const text = (blocks: number, of = 'word '): string => of.repeat((blocks * BLOCK_BYTES) / of.length);
const user = (content: unknown): Message => ({ role: 'user', content });

describe('the chain of a prompt', () => {
  test('has two words for each whole block, the high one of 21 bits', () => {
    const { chain, bytes, tail } = promptChain(CHAT, { messages: [user(text(10))] }, ORIGIN);
    expect(chain.length / 2).toBe(Math.floor(bytes / BLOCK_BYTES));
    expect(tail.length).toBe(bytes % BLOCK_BYTES);
    for (let at = 1; at < chain.length; at += 2) expect(chain[at]).toBeLessThan(1 << 21);
  });

  test('begins alike as far as prompts do, and is never alike again', () => {
    const one = chat([user(`${text(4)}A${text(4)}`)]);
    const other = chat([user(`${text(4)}B${text(4)}`)]);
    expect(common(one, other)).toBe(4);
    expect(Array.from(one.slice(8)).filter((word, i) => word === other[8 + i])).toEqual([]);
  });

  test.each([
    ['another salt', () => chat([user(text(4))], {}, { ...ORIGIN, salt: 'cd34' })],
    ['another model', () => chat([user(text(4))], {}, { ...ORIGIN, model: 'n' })],
    ['tools', () => chat([user(text(4))], { tools: [{ type: 'function', function: { name: 'f' } }] })],
    ['another role', () => chat([{ role: 'system', content: text(4) }])],
  ])('has nothing in common under %s', (_what, other) => {
    expect(common(chat([user(text(4))]), other())).toBe(0);
  });

  test('is the same whatever the sampling, and whether content comes as text or as parts', () => {
    const plain = chat([user(text(4))]);
    expect(chat([user(text(4))], { temperature: 1, stream: true, seed: 3 })).toEqual(plain);
    expect(chat([user([{ type: 'text', text: text(4) }])])).toEqual(plain);
  });

  test('of the next turn goes on with the answer, as it came', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 3_000 }), fc.string({ unit: 'grapheme', maxLength: 3_000 }), (question, answer) => {
        const first = promptChain(CHAT, { messages: [user(question)] }, ORIGIN);
        const { chain } = continuedChain(first, answerParts(CHAT, answer));
        const next = chat([user(question), { role: 'assistant', content: answer }, user(text(2))]);
        expect(common(chain, next)).toBe(chain.length / 2);
      }),
    );
  });

  test('of a completion goes on with its text', () => {
    const first = promptChain('/v1/completions', { prompt: text(3) }, ORIGIN);
    const { chain } = continuedChain(first, answerParts('/v1/completions', text(3)));
    const whole = promptChain('/v1/completions', { prompt: text(6) }, ORIGIN).chain;
    expect(common(chain, whole)).toBe(Math.min(chain.length, whole.length) / 2);
  });

  test('can be made of any body that passed as JSON', () => {
    fc.assert(
      fc.property(fc.constantFrom(CHAT, '/v1/completions', '/v1/embeddings'), fc.dictionary(fc.constantFrom('messages', 'prompt', 'input', 'tools'), fc.jsonValue()), (path, body) => {
        const { chain, bytes, tail } = promptChain(path, body, ORIGIN);
        expect((chain.length / 2) * BLOCK_BYTES + tail.length).toBe(bytes);
      }),
    );
  });

  test('tells the kind of text by its bytes a character', () => {
    const kind = (content: string): string => promptChain(CHAT, { messages: [user(content)] }, ORIGIN).kind;
    expect([kind('plain text '.repeat(20)), kind('Grüße aus Köln '.repeat(20)), kind('你好世界'.repeat(50))]).toEqual(['ascii', 'mixed', 'wide']);
  });

  test('spreads: a bit of the prompt changes half of the bits of the hash', () => {
    const base = text(1, 'abcdefgh').slice(0, 400);
    let changed = 0;
    const runs = 200;
    for (let i = 0; i < runs; i += 1) {
      const code = base.charCodeAt(i) ^ 1;
      const other = `${base.slice(0, i)}${String.fromCharCode(code)}${base.slice(i + 1)}`;
      const [a, b] = [chat([user(base + text(1))]), chat([user(other + text(1))])];
      changed += bits((a[0] ?? 0) ^ (b[0] ?? 0)) + bits((a[1] ?? 0) ^ (b[1] ?? 0));
    }
    expect(changed / runs / 53).toBeGreaterThan(0.45);
    expect(changed / runs / 53).toBeLessThan(0.55);
  });
});

function bits(word: number): number {
  let count = 0;
  for (let left = word >>> 0; left !== 0; left = (left & (left - 1)) >>> 0) count += 1;
  return count;
}
