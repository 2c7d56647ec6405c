import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventData, SseSplitter } from '../../src/openai/index.ts';
import { cut, cuts } from './cut.ts';

const line = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => `data: ${text.replace(/[\r\n]/g, '')}`), fc.constantFrom(': ping', 'event: x', 'data:', 'id:1'));
const event = fc.tuple(fc.array(line, { minLength: 1, maxLength: 3 }), fc.constantFrom('\n', '\r\n')).map(([lines, end]) => lines.join(end) + end + end);
const streams = fc.array(event, { maxLength: 8 });

function split(chunks: readonly Buffer[], eventBytesMax = 1_000): string[] {
  const splitter = new SseSplitter(eventBytesMax);
  const events: string[] = [];
  for (const chunk of chunks) splitter.push(chunk, (bytes) => events.push(bytes.toString()));
  return events;
}

describe('the splitter', () => {
  test('gives the same events wherever the stream is cut, in lines or in characters', () => {
    fc.assert(
      fc.property(streams, cuts, (events, at) => {
        expect(split(cut(Buffer.from(events.join('')), at))).toEqual(events);
      }),
      { numRuns: 300 },
    );
  });

  test('gives the same events byte by byte', () => {
    const events = ['data: ü💡\r\n\r\n', 'data: a\n\n', ': c\n\r\n', 'data: b\ndata: c\n\n'];
    const bytes = Buffer.from(events.join(''));
    expect(split([...bytes].map((byte) => Buffer.from([byte])))).toEqual(events);
  });

  test('refuses an event over its bound, whole or in parts, after giving those before it', () => {
    fc.assert(
      fc.property(cuts, fc.boolean(), (at, isWhole) => {
        const bytes = Buffer.from(`data: a\n\ndata: b\n\ndata: ${'x'.repeat(100)}${isWhole ? '\n\n' : ''}`);
        const splitter = new SseSplitter(50);
        const events: string[] = [];
        expect(() => {
          for (const chunk of cut(bytes, at)) splitter.push(chunk, (found) => events.push(found.toString()));
        }).toThrow(RangeError);
        expect(events).toEqual(['data: a\n\n', 'data: b\n\n']);
      }),
    );
  });

  test('takes an event of exactly its bound', () => {
    expect(split([Buffer.from('data: 1234\n\n')], 12)).toEqual(['data: 1234\n\n']);
    expect(() => split([Buffer.from('data: 12345\n\n')], 12)).toThrow('longer than 12 bytes');
  });
});

describe('the data of an event', () => {
  test.each([
    ['data: a\n\n', 'a'],
    ['data:a\r\n\r\n', 'a'],
    ['data:  a \n\n', ' a '],
    ['event: x\ndata: a\nid: 1\n\n', 'a'],
    ['data: a\ndata: b\n\n', 'a\nb'],
    ['\ndata: a\n\n', 'a'],
    ['data:\n\n', ''],
    [': comment\n\n', null],
    ['database: a\n\n', null],
    ['\n\n', null],
  ])('of %j is %j', (text, data) => {
    expect(eventData(Buffer.from(text))?.toString() ?? null).toBe(data);
  });
});
