import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';
import { playScript } from './fault-script.ts';
import { noise, ProxiedPair } from './proxied-pair.ts';

let pair: ProxiedPair;

beforeEach(async () => {
  pair = await ProxiedPair.start();
});
afterEach(() => pair.close());

describe('a script of faults', () => {
  test('plays by the time of its clock, in its order', async () => {
    const clock = new ManualClock();
    const { client } = await pair.linked();
    const done: string[] = [];
    const over = playScript(
      pair.proxy,
      [
        { atMs: 2_000, act: () => void done.push('second') },
        { atMs: 1_000, act: () => void done.push('first') },
        { atMs: 3_000, act: (one) => one.breakAll('reset') },
      ],
      clock,
    );
    clock.advance(999);
    expect(done).toEqual([]);
    clock.advance(1_001);
    await until(() => done.length === 2, 'two steps are done');
    expect([done, client.ending]).toEqual([['first', 'second'], 'open']);
    clock.advance(1_000);
    await over;
    await until(() => client.ending === 'ECONNRESET', 'the third step is done');
  });

  test('is over once all that its steps do is done', async () => {
    let finish = (): void => {};
    let isOver = false;
    const over = playScript(pair.proxy, [{ direction: 'up', afterBytes: 0, act: () => new Promise<void>((resolve) => (finish = resolve)) }], systemClock);
    const seen = over.then(() => (isOver = true));
    // A whole connection later it would be over, if it did not wait.
    const { client, target } = await pair.linked();
    client.socket.write('x');
    await until(() => target.text === 'x', 'a byte has passed');
    expect(isOver).toBe(false);
    finish();
    await seen;
  });

  test('plays by bytes over all connections', async () => {
    const one = await pair.linked();
    const two = await pair.linked();
    let isOver = false;
    const over = playScript(pair.proxy, [{ direction: 'down', afterBytes: 10, act: (it) => it.refuse(true) }], systemClock).then(() => (isOver = true));
    one.target.socket.write(noise(9));
    await until(() => one.client.bytes === 9, 'nine bytes have passed');
    expect(isOver).toBe(false);
    two.target.socket.write(noise(1));
    await over;
    const refused = pair.dial();
    await until(() => refused.ending === 'ECONNREFUSED', 'the port is closed');
  });

  test('rejects when the proxy is closed before its bytes have passed', async () => {
    const over = playScript(pair.proxy, [{ direction: 'up', afterBytes: 1, act: () => {} }], systemClock);
    const [said] = await Promise.allSettled([over, pair.proxy.close()]);
    expect(said).toMatchObject({ status: 'rejected', reason: { message: 'the proxy was closed before 1 bytes had passed up' } });
  });
});
