import { describe, expect, test } from 'vitest';
import { EngineMirror, promptChain } from '../../src/prefix/index.ts';

const PATH = '/v1/chat/completions';
const long = (what: string): string => `${what} `.repeat(600);

function body(...messages: readonly (readonly [role: string, content: string])[]): Buffer {
  return Buffer.from(JSON.stringify({ model: 'm', messages: messages.map(([role, content]) => ({ role, content })) }));
}

function event(content: string): Buffer {
  return Buffer.from(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`);
}

function matched(mirror: EngineMirror, of: Buffer, salt = 's'): number {
  return mirror.cache.match(promptChain(PATH, JSON.parse(of.toString()), { salt, model: 'm' }).chain);
}

describe('the mirror of an engine', () => {
  test('holds a prompt once its answer has begun, and the answer once it has ended', () => {
    const mirror = new EngineMirror();
    const asked = body(['user', long('question')]);
    const next = body(['user', long('question')], ['assistant', long('answer')], ['user', 'and then?']);
    const attempt = mirror.follow(PATH, asked, 's', true);
    expect(matched(mirror, asked)).toBe(0);
    const [first, rest] = [long('answer').slice(0, 500), long('answer').slice(500)];
    attempt?.answered(Buffer.concat([event(''), event(first)]));
    const ofPrompt = matched(mirror, asked);
    expect(ofPrompt).toBeGreaterThan(8);
    expect(matched(mirror, next)).toBe(ofPrompt);
    attempt?.answered(event(rest));
    attempt?.ended({ promptTokens: 1_000, cachedTokens: 0 });
    expect(matched(mirror, next)).toBeGreaterThan(ofPrompt + 6);
    expect(matched(mirror, next, 'another salt')).toBe(0);
  });

  test('reads an answer in one piece as well, and takes an attempt that brought nothing for nothing', () => {
    const mirror = new EngineMirror();
    const asked = body(['user', long('q')]);
    mirror.follow(PATH, asked, 's', false)?.ended(null);
    expect(mirror.cache.blocks).toBe(0);
    const attempt = mirror.follow(PATH, asked, 's', false);
    attempt?.answered(Buffer.from(JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content: long('a') } }] })));
    attempt?.ended(null);
    expect(matched(mirror, body(['user', long('q')], ['assistant', long('a')], ['user', 'x']))).toBeGreaterThan(matched(mirror, asked));
  });

  test('counts what it predicted beside what the engine reported', () => {
    const mirror = new EngineMirror();
    const asked = body(['user', long('again')]);
    for (const cachedTokens of [0, 800]) {
      const attempt = mirror.follow(PATH, asked, 's', true);
      attempt?.answered(event('yes'));
      attempt?.ended({ promptTokens: 900, cachedTokens });
    }
    expect(mirror.accuracy.reportedTokens).toBe(800);
    expect(mirror.accuracy.predictedTokens).toBeGreaterThan(700);
    expect(mirror.accuracy.predictedTokens).toBeLessThanOrEqual(900);
  });

  test('has room for the engine\'s cache, less what running requests hold beyond their prompts', () => {
    const mirror = new EngineMirror();
    mirror.sized(4_096, 0);
    for (let i = 0; i < 20; i += 1) {
      const attempt = mirror.follow(PATH, body(['user', long(`q${i}`)]), 's', true);
      attempt?.answered(event('x'));
      attempt?.ended(null);
    }
    const free = mirror.cache.blocks;
    expect(free).toBe(32);
    mirror.sized(4_096, 2_048);
    expect(mirror.cache.blocks).toBe(16);
    const running = mirror.follow(PATH, body(['user', long('running')]), 's', true);
    running?.answered(event('x'));
    mirror.sized(4_096, 1_000);
    expect(mirror.cache.blocks).toBe(16);
    mirror.sized(null, null);
    expect(mirror.cache.blocks).toBe(16);
  });

  test('follows neither embeddings nor what is no JSON', () => {
    const mirror = new EngineMirror();
    expect(mirror.follow('/v1/embeddings', Buffer.from('{"input":"x"}'), 's', false)).toBeNull();
    expect(mirror.follow(PATH, Buffer.from('nonsense'), 's', false)).toBeNull();
  });
});
