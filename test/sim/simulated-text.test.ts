import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freeAnswer } from '../../src/sim/answer.ts';
import { chatPrompt } from '../../src/sim/chat-template.ts';
import { detokenize, tokenize } from '../../src/sim/tokenizer.ts';

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.constantFrom('Hi', 'a ', ' the\n', 'é 漢字🙂', '\0'));

function promptOf(content: string, thinking: boolean, so?: string): number[] {
  const user = { role: 'user', content, extra: '' };
  const messages = so === undefined ? [user] : [user, { role: 'assistant', content: so, extra: '' }];
  return chatPrompt({ messages, tools: '', thinking, continueFinal: so !== undefined, limitTokens: 1e6 });
}

const terms = { seed: 3, maxTokens: 400, ignoreEnd: false, stops: [] };

describe('simulated text', () => {
  it('turns any text into tokens and back', () => {
    fc.assert(
      fc.property(text, (one) => {
        expect(detokenize(tokenize(one))).toBe(one);
      }),
    );
    expect(detokenize(tokenize('lone \ud800 surrogate'))).toBe('lone \ud800 surrogate');
  });

  it('goes on after any of its own tokens as it would have undisturbed', () => {
    fc.assert(
      fc.property(text, fc.nat(399), fc.nat(5), (prompt, cut, seed) => {
        const ids = tokenize(`${prompt}x`);
        const whole = freeAnswer({ ...terms, seed, prompt: ids });
        const k = cut % whole.tokens.length;
        const rest = freeAnswer({ ...terms, seed, prompt: [...ids, ...whole.tokens.slice(0, k)], maxTokens: 400 - k });
        expect(rest.tokens).toEqual(whole.tokens.slice(k));
        expect(rest.finishReason).toBe(whole.finishReason);
      }),
    );
  });

  it('goes on after its own text, in a chat with and without reasoning, as it would have undisturbed', () => {
    fc.assert(
      fc.property(text, fc.boolean(), fc.nat(399), (prompt, thinking, cut) => {
        const whole = freeAnswer({ ...terms, prompt: promptOf(prompt, thinking) });
        const k = cut % whole.tokens.length;
        const reasoning = whole.pieces.slice(0, Math.min(k, whole.reasoningTokens)).join('');
        const content = whole.pieces.slice(whole.reasoningTokens, Math.max(k, whole.reasoningTokens)).join('');
        const written = content === '' ? reasoning : `${reasoning}${thinking ? '</think>' : ''}${content}`;
        const rest = freeAnswer({ ...terms, prompt: promptOf(prompt, thinking, written), maxTokens: 1_000 });
        const undisturbed = freeAnswer({ ...terms, prompt: promptOf(prompt, thinking), maxTokens: 1_400 });
        const all = undisturbed.pieces.join('');
        const joined = reasoning + content + rest.pieces.join('');
        expect(joined.startsWith(all) || all.startsWith(joined)).toBe(true);
      }),
    );
  });

  it('goes on after a plain text prompt and its own text', () => {
    fc.assert(
      fc.property(text, fc.nat(99), (prompt, k) => {
        const whole = freeAnswer({ ...terms, prompt: tokenize(`${prompt}x`), maxTokens: 100 });
        const said = whole.pieces.slice(0, k).join('');
        const rest = freeAnswer({ ...terms, prompt: tokenize(`${prompt}x${said}`), maxTokens: 100 - k });
        if (k < whole.tokens.length) expect(said + rest.pieces.join('')).toBe(whole.pieces.join(''));
      }),
    );
  });

  it('has answers of about two hundred tokens, with characters of many bytes among them', () => {
    const answers = Array.from({ length: 300 }, (_, i) => freeAnswer({ ...terms, maxTokens: 10_000, prompt: promptOf(`Question ${i}`, false) }));
    const mean = answers.reduce((sum, answer) => sum + answer.tokens.length, 0) / answers.length;
    expect(mean).toBeGreaterThan(120);
    expect(mean).toBeLessThan(320);
    expect(answers.some((answer) => /\p{Extended_Pictographic}/u.test(answer.pieces.join('')))).toBe(true);
    expect(answers.every((answer) => answer.finishReason === 'stop')).toBe(true);
  });

  it('differs by seed and prompt, and never ends by itself when told so', () => {
    const said = (seed: number, content: string): string => freeAnswer({ ...terms, seed, prompt: promptOf(content, false) }).pieces.join('');
    expect(new Set([said(1, 'a'), said(2, 'a'), said(1, 'b')]).size).toBe(3);
    const endless = freeAnswer({ ...terms, ignoreEnd: true, maxTokens: 5_000, prompt: promptOf('a', false) });
    expect(endless.tokens).toHaveLength(5_000);
    expect(endless.finishReason).toBe('length');
  });

  it('ends just before the first stop string and keeps the token that completed it', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(12), fc.integer({ min: 1, max: 9 }), (i, from, length) => {
        const prompt = promptOf(`Stop ${i}`, false);
        const whole = freeAnswer({ ...terms, prompt });
        const all = whole.pieces.join('');
        const stop = all.slice(from, from + length);
        const cut = freeAnswer({ ...terms, prompt, stops: [stop, 'never-said'] });
        expect(cut.pieces.join('')).toBe(all.slice(0, all.indexOf(stop)));
        expect(cut.matchedStop).toBe(stop);
        expect(detokenize(cut.tokens)).toContain(stop);
      }),
    );
  });
});
