import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';
import type { Toxics } from './fault-lane.ts';
import { BEYOND_BUFFERS, flood, heldBack, MIB, noise, ProxiedPair } from './proxied-pair.ts';

let pair: ProxiedPair;

beforeEach(async () => {
  pair = await ProxiedPair.start();
});
afterEach(() => pair.close());

describe('a fault proxy', () => {
  test.each<[string, Toxics]>([
    ['without toxics', {}],
    ['with latency and jitter', { latencyMs: 3, jitterMs: 5 }],
    ['with narrow bandwidth', { bytesPerS: 8_000_000 }],
    ['that slices', { sliceBytesMax: 3_000 }],
    ['with all of them', { latencyMs: 1, jitterMs: 2, bytesPerS: 8_000_000, sliceBytesMax: 9_000 }],
  ])('%s passes the same bytes and the ends in both directions', async (_what, toxics) => {
    const bytes = noise(MIB);
    pair.proxy.set('up', toxics);
    pair.proxy.set('down', toxics);
    const { client, target } = await pair.linked();
    client.socket.end(bytes);
    target.socket.end(bytes);
    await until(() => target.ending !== 'open' && client.ending !== 'open', 'both have ended');
    expect([client.ending, target.ending]).toEqual(['ended', 'ended']);
    expect(target.received.equals(bytes)).toBe(true);
    expect(client.received.equals(bytes)).toBe(true);
    expect([pair.proxy.bytes('up'), pair.proxy.bytes('down')]).toEqual([MIB, MIB]);
    await until(() => pair.proxy.connections === 0, 'the line is closed');
  });

  test('cuts characters in two, and passes them', async () => {
    pair.proxy.set('down', { sliceBytesMax: 1, latencyMs: 1 });
    const { client, target } = await pair.linked();
    target.socket.write('ä🚀言葉');
    await until(() => client.bytes === 12, 'all has passed');
    expect(client.text).toBe('ä🚀言葉');
    expect(client.pieces.length).toBeGreaterThan(4);
  });

  test('delivers what is under way from a target that is gone', async () => {
    pair.proxy.set('down', { latencyMs: 30 });
    const { client, target } = await pair.linked();
    client.socket.end('the question');
    await until(() => target.ending === 'ended', 'the question is whole');
    target.socket.end(noise(300_000));
    await until(() => client.ending !== 'open', 'the answer is over');
    expect([client.ending, client.bytes]).toEqual(['ended', 300_000]);
  });

  test('resets the client when the target cannot be reached', async () => {
    pair.peer.close();
    await until(() => !pair.peer.listening, 'the target is closed');
    const client = pair.dial();
    await until(() => client.ending !== 'open', 'the client sees it');
    expect(client.ending).toBe('ECONNRESET');
  });

  test('holds a sender back once it has 1 MiB under way, and passes all of it later', async () => {
    pair.proxy.set('up', { isStalled: true });
    const { client, target } = await pair.linked();
    const bytes = Buffer.alloc(BEYOND_BUFFERS, noise(65_537));
    const sent = flood(client, bytes);
    await heldBack(sent);
    expect(sent.taken).toBeLessThan(BEYOND_BUFFERS);
    expect(target.bytes).toBe(0);
    await pair.proxy.heal();
    await until(() => target.bytes === bytes.length, 'all has passed');
    expect(target.received.equals(bytes)).toBe(true);
  });
});

describe('time on a fault proxy', () => {
  let clock: ManualClock;

  beforeEach(async () => {
    await pair.close();
    clock = new ManualClock();
    pair = await ProxiedPair.start(clock);
  });

  test('is that of its clock: bytes and the end arrive after the latency and not before', async () => {
    pair.proxy.set('down', { latencyMs: 100 });
    const { client, target } = await pair.linked();
    target.socket.end('late');
    await until(() => clock.pending === 1, 'the bytes are under way');
    clock.advance(99);
    expect([pair.proxy.bytes('down'), clock.pending]).toEqual([0, 1]);
    clock.advance(1);
    await until(() => client.text === 'late', 'the bytes have arrived');
    await until(() => {
      clock.advance(10);
      return client.ending === 'ended';
    }, 'the end has arrived');
  });

  test('lets through what the bandwidth allows, and the rest at once when it is healed', async () => {
    pair.proxy.set('down', { bytesPerS: 1_000 });
    const { client, target } = await pair.linked();
    target.socket.write(noise(200_000));
    // Steps as long as a burst, each taken when the one before has been written.
    for (let ms = 0; ms < 500; ms += 10) {
      await until(() => clock.pending === 1, 'the line is taken');
      clock.advance(10);
    }
    await until(() => clock.pending === 1, 'the line is taken');
    expect(pair.proxy.bytes('down')).toBeGreaterThanOrEqual(500);
    expect(pair.proxy.bytes('down')).toBeLessThanOrEqual(520);
    await pair.proxy.heal();
    await until(() => client.bytes === 200_000, 'the rest has passed');
    expect(client.received.equals(noise(200_000))).toBe(true);
  });

  test('is not owed for a bandwidth that is no more', async () => {
    pair.proxy.set('down', { bytesPerS: 1 });
    const { client, target } = await pair.linked();
    target.socket.write('soon');
    await until(() => client.text === 's' && clock.pending === 1, 'one byte has passed');
    pair.proxy.set('down', { bytesPerS: 1_000_000 });
    await until(() => client.text === 'soon', 'the others have arrived');
  });

  test('changes for bytes that are under way', async () => {
    pair.proxy.set('down', { latencyMs: 1_000_000 });
    const { client, target } = await pair.linked();
    target.socket.write('soon');
    await until(() => clock.pending === 1, 'the bytes are under way');
    pair.proxy.set('down', {});
    await until(() => client.text === 'soon', 'they have arrived');
    expect(clock.pending).toBe(0);
  });
});

describe('a port that is closed', () => {
  test('refuses connections, leaves those there are, and is the same one when it is opened again', async () => {
    const old = await pair.linked();
    const { port } = pair.proxy;
    await pair.proxy.refuse(true);
    const refused = pair.dial();
    await until(() => refused.ending !== 'open', 'it is refused');
    expect(refused.ending).toBe('ECONNREFUSED');
    old.client.socket.write('still here');
    await until(() => old.target.text === 'still here', 'the old connection goes on');
    await pair.proxy.heal();
    expect(pair.proxy.port).toBe(port);
    const { client, target } = await pair.linked();
    target.socket.write('hello');
    await until(() => client.text === 'hello', 'it is open again');
  });

  test('does what it was told last, however fast it is told', async () => {
    await Promise.all([true, false, true, false, true].map((isRefusing) => pair.proxy.refuse(isRefusing)));
    const refused = pair.dial();
    await until(() => refused.ending !== 'open', 'it is refused');
    expect(refused.ending).toBe('ECONNREFUSED');
    await Promise.all([false, true, false].map((isRefusing) => pair.proxy.refuse(isRefusing)));
    await pair.linked();
  });
});
