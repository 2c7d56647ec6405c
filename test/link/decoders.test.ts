import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LinkProtocolError, readCounted, readFrames, writeCounted, readPrefixEvent, writePrefixEvent, readMessageFromGateway, readMessageFromNode, readOpen, writeFrames, writeOpen } from '../../src/link/index.ts';
import { readAnswerHead, readStreamEnd, readStreamFailure } from '../../src/link/stream-payloads.ts';
import { answerHeads, countedData, frames, messagesFromGateway, messagesFromNode, openHeads, prefixEvents, streamEnds, streamFailures } from './arbitrary.ts';

interface Decoder {
  readonly name: string;
  readonly decode: (bytes: Buffer) => unknown;
  /** Good input, to be spoiled. */
  readonly good: fc.Arbitrary<Buffer>;
}

const asJson = (value: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> => value.map((one) => Buffer.from(JSON.stringify(one)));
const opens = fc.tuple(openHeads, fc.uint8Array({ maxLength: 30 }));

const DECODERS: readonly Decoder[] = [
  { name: 'readFrames', decode: bytesOfFrames, good: fc.array(frames, { maxLength: 5 }).map(writeFrames) },
  { name: 'readOpen', decode: readOpen, good: opens.map(([head, body]) => writeOpen(head, Buffer.from(body))) },
  { name: 'readCounted', decode: readCounted, good: countedData.map(([news, bytes]) => writeCounted(news, bytes)) },
  { name: 'readPrefixEvent', decode: readPrefixEvent, good: prefixEvents.map(writePrefixEvent) },
  { name: 'readAnswerHead', decode: readAnswerHead, good: asJson(answerHeads) },
  { name: 'readStreamEnd', decode: readStreamEnd, good: asJson(streamEnds) },
  { name: 'readStreamFailure', decode: readStreamFailure, good: asJson(streamFailures) },
  { name: 'readMessageFromNode', decode: (bytes) => readMessageFromNode(bytes.toString()), good: asJson(messagesFromNode) },
  { name: 'readMessageFromGateway', decode: (bytes) => readMessageFromGateway(bytes.toString()), good: asJson(messagesFromGateway) },
];

/** Adds up what the frames hold, which cannot be more than came. */
function bytesOfFrames(message: Buffer): void {
  let bytes = 0;
  readFrames(message, (_stream, _kind, payload) => {
    bytes += payload.length;
    if (bytes > message.length || payload.buffer !== message.buffer) throw new Error('more than came');
  });
}

/** One way to spoil bytes: overwrite one, cut, insert, or say a stretch twice. */
const spoiling = fc.record({
  how: fc.constantFrom('overwrite', 'cut', 'insert', 'repeat'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  byte: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(...Buffer.from('{}[],:"\\0-').values())),
});

function spoil(bytes: Buffer, { how, at, byte }: { how: string; at: number; byte: number }): Buffer {
  const offset = Math.floor(at * bytes.length);
  const [before, after] = [bytes.subarray(0, offset), bytes.subarray(offset)];
  if (how === 'cut') return before;
  if (how === 'repeat') return Buffer.concat([before, after, after]);
  return Buffer.concat([before, Buffer.from([byte]), how === 'insert' ? after : after.subarray(1)]);
}

function expectOnlyProtocolErrors(decode: (bytes: Buffer) => unknown, bytes: Buffer): void {
  try {
    decode(bytes);
  } catch (error) {
    if (!(error instanceof LinkProtocolError)) throw new Error(`on ${bytes.toString('hex')}`, { cause: error });
    expect(error.message.length).toBeLessThan(200);
  }
}

describe.each(DECODERS)('$name', ({ decode, good }) => {
  test('takes whatever is good', () => {
    fc.assert(fc.property(good, (bytes) => void decode(bytes)));
  });

  test('throws nothing but LinkProtocolError on random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expectOnlyProtocolErrors(decode, Buffer.from(bytes))));
  });

  test('throws nothing but LinkProtocolError on random JSON', () => {
    const json = fc.json({ maxDepth: 3 }).map((text) => Buffer.from(text));
    fc.assert(fc.property(json, (bytes) => expectOnlyProtocolErrors(decode, bytes)));
  });

  test('throws nothing but LinkProtocolError on good bytes spoiled', () => {
    fc.assert(
      fc.property(good, fc.array(spoiling, { minLength: 1, maxLength: 4 }), (bytes, ways) =>
        expectOnlyProtocolErrors(decode, ways.reduce(spoil, bytes)),
      ),
      { numRuns: 500 },
    );
  });

  test('throws nothing but LinkProtocolError on nesting without end', () => {
    for (const text of ['['.repeat(100_000), '{"type":'.repeat(50_000), `{"type":${'['.repeat(100_000)}${']'.repeat(100_000)}}`]) {
      expectOnlyProtocolErrors(decode, Buffer.from(text));
    }
  });
});

test('what is sent is read back as it was', () => {
  fc.assert(
    fc.property(opens, messagesFromNode, messagesFromGateway, prefixEvents, countedData, ([head, bytes], fromNode, fromGateway, event, counted) => {
      expect(readCounted(writeCounted(...counted))).toEqual({ news: counted[0], bytes: counted[1] });
      expect(readPrefixEvent(writePrefixEvent(event))).toEqual(event);
      const body = Buffer.from(bytes);
      expect(readOpen(writeOpen(head, body))).toEqual({ head, body });
      expect(readMessageFromNode(JSON.stringify(fromNode))).toEqual(JSON.parse(JSON.stringify(fromNode)));
      expect(readMessageFromGateway(JSON.stringify(fromGateway))).toEqual(fromGateway);
    }),
  );
});

test('fields that a newer peer adds are no fault; a wrong or missing one is', () => {
  expect(readMessageFromNode('{"type":"ping","id":1,"later":true}')).toMatchObject({ type: 'ping', id: 1 });
  expect(() => readMessageFromNode('{"type":"ping","id":"1"}')).toThrow("a 'ping' message of the node has the wrong shape");
  expect(() => readMessageFromNode('{"type":"drain"}')).toThrow(LinkProtocolError);
  expect(() => readMessageFromGateway('{"type":"hello"}')).toThrow(LinkProtocolError);
  expect(() => readMessageFromGateway('null')).toThrow('a message of the gateway has the wrong shape');
});
