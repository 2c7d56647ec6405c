import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FrameKind, LINK_PATH, PROTOCOL_VERSION, readFrames, SUBPROTOCOL, type Frame } from '../../src/link/index.ts';
import { FromGateway, FromNode } from '../../src/link/messages.ts';
import { AnswerHead, OpenHead, StreamEnd, StreamFailure } from '../../src/link/stream-payloads.ts';

const doc = readFileSync('docs/node-protocol.md', 'utf8');

/** The names that a schema gives to fields, and the words that it allows as values. */
function vocabulary(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const words = Object.entries(schema).flatMap(([key, value]: [string, unknown]) => {
    if (key === 'const') return typeof value === 'string' ? [value] : [];
    if (key !== 'properties') return vocabulary(value);
    return Object.entries(Object(value)).flatMap(([name, field]) => [name, ...vocabulary(field)]);
  });
  return [...new Set(words)];
}

const types = vocabulary(FromNode).concat(vocabulary(FromGateway));
const words = [...types, ...[OpenHead, AnswerHead, StreamEnd, StreamFailure].flatMap(vocabulary)];

describe('docs/node-protocol.md', () => {
  test.each([...new Set(words)])('says what %s is', (word) => {
    expect(new RegExp('[`".{ ]' + word + '[`":,}]').test(doc)).toBe(true);
  });

  test.each(Object.entries(FrameKind))('gives the frame kind %s its number, %s', (name, kind) => {
    expect(doc).toContain(`| ${kind} | \`${name}\` |`);
  });

  test('names version, subprotocol and path', () => {
    expect(doc).toContain(`protocol version ${PROTOCOL_VERSION}`);
    expect(doc).toContain(`Sec-WebSocket-Protocol: ${SUBPROTOCOL}`);
    expect(doc).toContain(`ws://HOST:PORT${LINK_PATH}`);
  });

  test('has an example that means what it says', () => {
    const [, hex = ''] = /```hex\n([^`]*)```/.exec(doc) ?? [];
    const found: Frame[] = [];
    readFrames(Buffer.from(hex.replace(/\s/g, ''), 'hex'), (stream, kind, payload) => found.push({ stream, kind, payload }));
    expect(found).toEqual([
      { stream: 7, kind: FrameKind.data, payload: Buffer.from('hi') },
      { stream: 258, kind: FrameKind.data, payload: Buffer.from('!') },
    ]);
  });
});
