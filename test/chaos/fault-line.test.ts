import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { BEYOND_BUFFERS, flood, heldBack, noise, ProxiedPair } from './proxied-pair.ts';

let pair: ProxiedPair;

beforeEach(async () => {
  pair = await ProxiedPair.start();
});
afterEach(() => pair.close());

describe('a broken line', () => {
  test.each(['reset', 'close', 'half-close', 'stall'] as const)('by a %s after k bytes passes exactly k', async (how) => {
    pair.proxy.cutNext('down', 100, how);
    const { client, target } = await pair.linked();
    // A reset may overtake bytes that the client has not read: the first ones are read before it comes.
    target.socket.write(noise(60));
    await until(() => client.bytes === 60, 'the first bytes have arrived');
    target.socket.write(noise(5_000));
    await until(() => pair.proxy.bytes('down') === 100, 'all that may pass has passed');
    await until(() => (how === 'stall' ? client.bytes === 100 : client.ending !== 'open'), 'the client sees it');
    expect(client.ending).toBe({ reset: 'ECONNRESET', close: 'ended', 'half-close': 'ended', stall: 'open' }[how]);
    if (how !== 'reset') expect(client.bytes).toBe(100);
    expect(pair.proxy.bytes('down')).toBe(100);
  });

  test('is reset at both ends', async () => {
    const { client, target } = await pair.linked();
    pair.proxy.breakAll('reset');
    await until(() => client.ending !== 'open' && target.ending !== 'open', 'both see it');
    expect([client.ending, target.ending]).toEqual(['ECONNRESET', 'ECONNRESET']);
    await until(() => pair.proxy.connections === 0, 'the line is gone');
  });

  test.each(['up', 'down'] as const)('leaves the other way open after a half-close %s, whatever is still sent that way', async (direction) => {
    const { client, target } = await pair.linked();
    const [ended, other] = direction === 'down' ? [client, target] : [target, client];
    pair.proxy.breakAll('half-close', direction);
    await until(() => ended.ending === 'ended', 'the end is seen');
    const sent = flood(other);
    for (let i = 1; i <= 20; i += 1) {
      ended.socket.write('x');
      await until(() => other.bytes === i, 'a byte has passed the other way');
    }
    await until(() => sent.taken === BEYOND_BUFFERS, 'nobody is held back');
    expect([ended.ending, other.ending, ended.bytes]).toEqual(['ended', 'open', 0]);
  });

  test('by a half-close lets a sender go that was held back', async () => {
    pair.proxy.set('up', { isStalled: true });
    const { client, target } = await pair.linked();
    const sent = flood(client);
    await heldBack(sent);
    pair.proxy.breakAll('half-close', 'up');
    await until(() => sent.taken === BEYOND_BUFFERS, 'the sender has got rid of everything');
    expect([target.ending, target.bytes]).toEqual(['ended', 0]);
  });

  test('is one of those that were named: the next n, each after its own bytes', async () => {
    pair.proxy.cutNext('up', 10, 'reset', 2);
    const all = [await pair.linked(), await pair.linked(), await pair.linked()];
    for (const { client } of all) client.socket.write(noise(20));
    const broken = (): number => all.filter(({ client }) => client.ending === 'ECONNRESET').length;
    await until(() => broken() === 2 && all[2]?.target.bytes === 20, 'two are broken, and one is not');
    expect(pair.proxy.bytes('up')).toBe(40);
    expect(all[2]?.client.ending).toBe('open');
  });

  test('is one that was there, after so many bytes more', async () => {
    const { client, target } = await pair.linked();
    target.socket.write(noise(50));
    await until(() => client.bytes === 50, 'the first bytes have passed');
    pair.proxy.cutAfter('down', 30, 'close');
    target.socket.write(noise(50));
    await until(() => client.ending === 'ended', 'it is closed');
    expect(client.bytes).toBe(80);
  });

  test('is not broken by a cut that was healed before its bytes came', async () => {
    const { client, target } = await pair.linked();
    pair.proxy.cutAfter('down', 10, 'reset');
    pair.proxy.cutNext('down', 10, 'reset');
    await pair.proxy.heal();
    const next = await pair.linked();
    for (const end of [target, next.target]) end.socket.end(noise(100));
    await until(() => client.ending !== 'open' && next.client.ending !== 'open', 'both are over');
    expect([client.ending, client.bytes, next.client.ending, next.client.bytes]).toEqual(['ended', 100, 'ended', 100]);
  });
});

describe('a line that is silent', () => {
  test.each(['a toxic', 'a cut'])('by %s passes nothing until it is healed, and then everything in order', async (what) => {
    const { client, target } = await pair.linked();
    if (what === 'a toxic') pair.proxy.set('down', { isStalled: true });
    else pair.proxy.cutAfter('down', 0, 'stall');
    target.socket.write('one ');
    client.socket.write('up');
    await until(() => target.text === 'up', 'the other way is free');
    target.socket.end('two');
    client.socket.write(' again');
    await until(() => target.text === 'up again', 'the other way is still free');
    expect([client.bytes, client.ending, pair.proxy.bytes('down')]).toEqual([0, 'open', 0]);
    await pair.proxy.heal();
    await until(() => client.ending === 'ended', 'all has passed');
    expect(client.text).toBe('one two');
  });

  test('as a black hole takes everything, and is reset when it is over', async () => {
    pair.proxy.set('up', { isBlackHole: true });
    const { client, target } = await pair.linked();
    const quiet = await pair.linked();
    const sent = flood(client);
    await until(() => sent.taken === BEYOND_BUFFERS, 'the sender has got rid of everything');
    expect([target.bytes, client.ending, pair.proxy.bytes('up')]).toEqual([0, 'open', 0]);
    await pair.proxy.heal();
    await until(() => client.ending !== 'open', 'the line that lost bytes is reset');
    expect([client.ending, target.bytes]).toEqual(['ECONNRESET', 0]);
    quiet.client.socket.write('nothing was lost here');
    await until(() => quiet.target.text === 'nothing was lost here', 'the other line goes on');
  });

  test('because it is ignored connects and gets nothing, and is a new one when that is over', async () => {
    pair.proxy.ignore(true);
    const client = pair.dial();
    client.socket.write('hello');
    await until(() => pair.proxy.connections === 1, 'the connection is taken');
    expect([client.ending, pair.peers.length]).toEqual(['open', 0]);
    await pair.proxy.heal();
    await until(() => pair.peers[0]?.text === 'hello', 'the target hears of it');
    pair.peers[0]?.socket.end('and hello');
    await until(() => client.text === 'and hello', 'it is answered');
  });

  test('because it is ignored can be broken as others are', async () => {
    pair.proxy.ignore(true);
    const client = pair.dial();
    await until(() => pair.proxy.connections === 1, 'the connection is taken');
    pair.proxy.breakAll('reset');
    await until(() => client.ending !== 'open', 'the client sees it');
    expect([client.ending, pair.peers.length]).toEqual(['ECONNRESET', 0]);
  });
});
