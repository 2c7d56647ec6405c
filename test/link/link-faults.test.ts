import { afterEach, describe, expect, test } from 'vitest';
import { FrameKind, writeFrames } from '../../src/link/index.ts';
import { writeJson } from '../../src/link/stream-payloads.ts';
import { Client } from './client.ts';
import { eventually } from '../support/eventually.ts';
import { attempt, LinkedPair, SETTLEMENT, type PairOptions } from './linked-pair.ts';

const frame = (stream: number, kind: FrameKind, payload: Buffer | string): Buffer =>
  writeFrames([{ stream, kind, payload: Buffer.from(payload) }]);

let pair: LinkedPair;

async function join(options: PairOptions = {}): Promise<void> {
  pair = await (await LinkedPair.join(options)).connected();
}

afterEach(() => pair.close());

describe('a peer that breaks the protocol loses its link', () => {
  const head = writeJson({ status: 200, headers: {} });
  test.each([
    ['a stream that was never opened', frame(7, FrameKind.data, ''), 'stream 7 was never opened'],
    ['data before a head', frame(1, FrameKind.data, 'x'), 'data came outside an answer'],
    ['an end before a head', frame(1, FrameKind.end, JSON.stringify({ settlement: SETTLEMENT })), 'the end came outside an answer'],
    ['two heads', Buffer.concat([frame(1, FrameKind.head, head), frame(1, FrameKind.head, head)]), 'a second head came'],
    ['an open', frame(1, FrameKind.open, 'x'), 'a node does not send that kind of frame'],
    ['half a frame', frame(1, FrameKind.head, head).subarray(0, 12), 'a frame is longer than its message'],
    ['a head of the wrong shape', frame(1, FrameKind.head, '{}'), 'the payload of a head frame has the wrong shape'],
    ['an unknown message', '{"type":"gossip"}', "a 'gossip' message of the node has the wrong shape"],
  ])('when the node sends %s', async (_, message, reason) => {
    await join();
    const socket = await pair.dialBare();
    const client = new Client();
    pair.gateway.dispatch(attempt(), client);
    socket.send(message);
    await eventually(() => expect(pair.gatewayHeard.at(-1)).toBe(`closed: the node broke the protocol: ${reason}`));
    expect(client.calls.at(-1)).toBe('error');
  });

  test.each([
    ['data', frame(1, FrameKind.data, 'x')],
    ['a stream twice', Buffer.concat([frame(1, FrameKind.cancel, ''), frame(1, FrameKind.open, 'x')])],
    ['half an open', frame(2, FrameKind.open, 'x')],
    ['words', 'hello'],
  ])('when the gateway sends %s', async (_, message) => {
    await join();
    await pair.open();
    pair.socket.send(message);
    await eventually(() => expect(pair.nodeHeard.some((line) => line.startsWith('lost'))).toBe(true));
    await eventually(() => expect(pair.gatewayHeard).toContain('closed: the connection closed'));
  });

  test('when a message is longer than the gateway takes', async () => {
    await join({ gateway: { messageBytesMax: 10_000 } });
    const socket = await pair.dialBare();
    socket.send(Buffer.alloc(10_001));
    await eventually(() => expect(pair.gatewayHeard.at(-1)).toBe('closed: Max payload size exceeded'));
  });

  test('when a message is longer than the node takes', async () => {
    await join({ node: { messageBytesMax: 10_000 } });
    pair.gateway.dispatch(attempt(`"${'x'.repeat(20_000)}"`), new Client());
    await eventually(() => expect(pair.nodeHeard.at(-1)).toBe('down: Max payload size exceeded'));
  });
});

test('a node that does not read is given up before it fills the gateway’s memory', async () => {
  await join({ gateway: { heldBytesMax: 3_000_000 } });
  const socket = await pair.dialBare();
  socket.pause();
  const body = 'x'.repeat(500_000);
  const clients = Array.from({ length: 40 }, () => new Client());
  for (const client of clients) {
    pair.gateway.dispatch(attempt(body), client);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(() => expect(pair.gatewayHeard.at(-1)).toBe('closed: the node does not read'));
  expect(clients.every((client) => client.error?.kind === 'unreachable')).toBe(true);
});
