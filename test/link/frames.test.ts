import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameKind, LinkProtocolError, readFrames, writeFrames, type Frame } from '../../src/link/index.ts';
import { frames } from './arbitrary.ts';

function read(message: Buffer): Frame[] {
  const found: Frame[] = [];
  readFrames(message, (stream, kind, payload) => found.push({ stream, kind, payload }));
  return found;
}

describe('frames', () => {
  test('come back from a message as they went in', () => {
    fc.assert(
      fc.property(fc.array(frames), (sent) => {
        expect(read(writeFrames(sent))).toEqual(sent);
      }),
    );
  });

  test('are laid out as documented', () => {
    const message = writeFrames([
      { stream: 7, kind: FrameKind.data, payload: Buffer.from('hi') },
      { stream: 0x01020304, kind: FrameKind.cancel, payload: Buffer.alloc(0) },
    ]);
    expect(message.toString('hex')).toBe('07000000' + '04' + '02000000' + '6869' + '04030201' + '02' + '00000000');
  });

  test('have payloads that are views into the message', () => {
    const message = writeFrames([{ stream: 1, kind: FrameKind.data, payload: Buffer.from('hi') }]);
    expect(read(message)[0]?.payload.buffer).toBe(message.buffer);
  });

  test.each([
    ['a head cut short', '0100000004000000'],
    ['stream 0 of another kind than prefix', '000000000400000000'],
    ['prefix of another stream than 0', '010000000700000000'],
    ['kind 0', '010000000000000000'],
    ['kind 9', '010000000900000000'],
    ['a payload longer than the message', '0100000004020000006a'],
    ['a payload of 4 GiB', '0100000004ffffffff'],
    ['a fault after a good frame', '010000000400000000' + '00'],
  ])('with %s break the protocol', (_, hex) => {
    expect(() => read(Buffer.from(hex, 'hex'))).toThrow(LinkProtocolError);
  });
});
