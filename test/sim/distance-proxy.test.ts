import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRng, systemClock } from '../../src/core/index.ts';
import { startDistanceProxy, type DistanceProxy, type DistanceProxyOptions } from '../../src/sim/index.ts';

let proxy: DistanceProxy;
let echo: Server;

afterEach(async () => {
  await proxy.close();
  echo.close();
});

async function start(options: Partial<DistanceProxyOptions> = {}): Promise<void> {
  echo = createServer({ allowHalfOpen: true }, (socket) => void socket.on('error', () => socket.destroy()).pipe(socket));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const address = echo.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  proxy = await startDistanceProxy({
    target: { host: '127.0.0.1', port },
    oneWayMs: 5,
    jitterMs: 4,
    clock: systemClock,
    rng: seededRng(1),
    ...options,
  });
}

async function readAll(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of socket as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

describe('distance proxy', () => {
  it('adds its distance in both directions and keeps the order under jitter', async () => {
    await start({ oneWayMs: 20 });
    const socket = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
    const startedAt = performance.now();
    const reading = readAll(socket);
    for (let i = 0; i < 200; i += 1) socket.write(`${i};`);
    socket.end();
    const answer = await reading;
    expect(answer.toString()).toBe(Array.from({ length: 200 }, (_, i) => `${i};`).join(''));
    // A lower bound cannot fail on a slow machine: bytes never arrive before their time.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(38);
  });

  it('carries more than it may hold, by holding the sender back', async () => {
    await start({ oneWayMs: 1, jitterMs: 0, bytesMax: 64 * 1_024 });
    const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    const sent = Buffer.alloc(3 * 1_024 * 1_024, 'meridian');
    const reading = readAll(socket);
    socket.end(sent);
    expect((await reading).equals(sent)).toBe(true);
  });

  it('breaks connections when cut, refuses new ones, and takes them again when restored', async () => {
    await start();
    const closed = (socket: Socket): Promise<void> =>
      new Promise((resolve) => void socket.resume().on('error', () => socket.destroy()).once('close', () => resolve()));
    const lost = connect(proxy.port, '127.0.0.1');
    lost.write('a');
    await once(lost, 'data');
    const isLost = closed(lost);
    proxy.cut();
    await isLost;
    await closed(connect(proxy.port, '127.0.0.1'));
    proxy.restore();
    const back = connect(proxy.port, '127.0.0.1');
    back.write('b');
    expect(String((await once(back, 'data'))[0])).toBe('b');
    back.destroy();
  });
});
