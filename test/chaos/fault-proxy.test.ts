import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRng, systemClock } from '../../src/core/index.ts';
import { until } from '../support/until.ts';
import { FaultProxy, playScript } from './fault-proxy.ts';

/** A server that keeps what it gets and answers with what a test says. */
class Peer {
  readonly sockets: Socket[] = [];
  received = Buffer.alloc(0);
  readonly server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    this.sockets.push(socket);
    socket.on('data', (bytes: Buffer) => (this.received = Buffer.concat([this.received, bytes])));
    socket.on('error', () => {});
  });
}

class Client {
  received = Buffer.alloc(0);
  pieces = 0;
  ending: 'open' | 'ended' | string = 'open';
  readonly socket: Socket;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (bytes: Buffer) => {
      this.pieces += 1;
      this.received = Buffer.concat([this.received, bytes]);
    });
    this.socket.on('end', () => (this.ending = 'ended'));
    this.socket.on('error', (error: Error & { code?: string }) => (this.ending = String(error.code)));
  }
}

let peer: Peer;
let proxy: FaultProxy;

beforeEach(async () => {
  peer = new Peer();
  peer.server.listen(0, '127.0.0.1');
  await once(peer.server, 'listening');
  const address = peer.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  proxy = await FaultProxy.start({ host: '127.0.0.1', port }, { clock: systemClock, rng: seededRng(7) });
});
afterEach(async () => {
  await proxy.close();
  for (const socket of peer.sockets) socket.destroy();
  peer.server.close();
});

async function linked(): Promise<{ client: Client; target: Socket }> {
  const client = new Client(proxy.port);
  const before = peer.sockets.length;
  await until(() => peer.sockets.length > before, 'the connection reaches the target');
  return { client, target: peer.sockets.at(-1) as Socket };
}

function noise(bytes: number): Buffer {
  const rng = seededRng(3);
  return Buffer.from(Uint8Array.from({ length: bytes }, () => Math.floor(rng.next() * 256)));
}

describe('a fault proxy', () => {
  test.each([
    ['without toxics', {}],
    ['with latency and jitter', { latencyMs: 3, jitterMs: 5 }],
    ['with narrow bandwidth', { bytesPerS: 4_000_000 }],
    ['that slices', { sliceBytesMax: 3_000 }],
    ['with all of them', { latencyMs: 1, jitterMs: 2, bytesPerS: 8_000_000, sliceBytesMax: 9_000 }],
  ])('%s passes the same bytes in both directions', async (_what, toxics) => {
    const bytes = noise(1 << 19);
    proxy.set('up', toxics);
    proxy.set('down', toxics);
    const { client, target } = await linked();
    client.socket.write(bytes);
    target.write(bytes);
    await until(() => peer.received.length >= bytes.length && client.received.length >= bytes.length, 'all has passed');
    expect(peer.received.equals(bytes)).toBe(true);
    expect(client.received.equals(bytes)).toBe(true);
    expect(proxy.bytes('up')).toBe(bytes.length);
  });

  test('cuts a character in two, and passes it', async () => {
    proxy.set('down', { sliceBytesMax: 1 });
    const { client, target } = await linked();
    target.write('ä🚀');
    await until(() => client.received.length === 6, 'all has passed');
    expect(client.received.toString()).toBe('ä🚀');
  });

  test.each(['reset', 'close', 'half-close'] as const)('by a %s after k bytes passes exactly k', async (how) => {
    proxy.cutNext('down', 100, how);
    const { client, target } = await linked();
    target.write(noise(5_000));
    await until(() => client.ending !== 'open', 'the client sees it');
    expect(client.ending).toBe(how === 'reset' ? 'ECONNRESET' : 'ended');
    expect(client.received.length).toBeLessThanOrEqual(100);
    expect(proxy.bytes('down')).toBe(100);
    if (how !== 'reset') expect(client.received.length).toBe(100);
  });

  test('leaves the other way open after a half-close', async () => {
    const { client } = await linked();
    proxy.breakAll('half-close');
    await until(() => client.ending === 'ended', 'the client sees the end');
    client.socket.write('still here');
    await until(() => peer.received.toString() === 'still here', 'it reaches the target');
  });

  test('that stalls passes nothing until it is healed, and then everything in order', async () => {
    proxy.set('down', { isStalled: true });
    const { client, target } = await linked();
    target.write('one ');
    client.socket.write('up');
    await until(() => peer.received.toString() === 'up', 'the other way is free');
    target.write('two');
    expect(client.received.length).toBe(0);
    await proxy.heal();
    await until(() => client.received.toString() === 'one two', 'all has passed');
  });

  test('that refuses closes its port, and opens the same one again', async () => {
    await proxy.refuse(true);
    const refused = new Client(proxy.port);
    await until(() => refused.ending !== 'open', 'it is refused');
    expect(refused.ending).toBe('ECONNREFUSED');
    await proxy.heal();
    const { client, target } = await linked();
    target.write('hello');
    await until(() => client.received.toString() === 'hello', 'it is open again');
  });

  test('plays a script by time and by bytes', async () => {
    const { client, target } = await linked();
    const done: string[] = [];
    const over = playScript(
      proxy,
      [
        { direction: 'down', afterBytes: 10, act: () => done.push('ten bytes') },
        { atMs: 5, act: () => done.push('five milliseconds') },
      ],
      systemClock,
    );
    await until(() => done.length === 1, 'the time has come');
    expect(done).toEqual(['five milliseconds']);
    target.write(noise(10));
    await over;
    expect(done).toEqual(['five milliseconds', 'ten bytes']);
    await until(() => client.received.length === 10, 'the bytes passed');
  });
});
