import { afterEach, describe, expect, test } from 'vitest';
import { PROTOCOL_VERSION, type HelloMessage } from '../../src/link/index.ts';
import { Client } from './client.ts';
import { eventually } from '../support/eventually.ts';
import { attempt, LinkedPair, SETTLEMENT, type PairOptions } from './linked-pair.ts';

const HELLO: HelloMessage = {
  type: 'hello',
  protocol: PROTOCOL_VERSION,
  node: 'n1',
  region: 'here',
  epoch: 'e1',
  engine: { kind: 'sglang', version: null },
  models: ['m'],
  weightDtype: 'fp8',
  contextTokens: 1_000,
  kvTokens: null,
  runningMax: null,
  continuation: 'none' as const,
  replicas: [{ id: 'r1', rank: 0 }],
};

let pair: LinkedPair;

async function join(options: PairOptions = {}): Promise<void> {
  pair = await (await LinkedPair.join(options)).connected();
}

afterEach(() => pair.close());

describe('when the link breaks', () => {
  test('streams fail as unreachable before their head and as broken after it, and the node loses them', async () => {
    await join();
    const [before, after] = [await pair.open(), await pair.open()];
    after.stream.head(200, {});
    await eventually(() => expect(after.client.calls).toEqual(['start']));
    pair.socket.terminate();
    await eventually(() => expect(pair.nodeHeard).toContain('lost 1 2'));
    await eventually(() => expect([before.client.error?.kind, after.client.error?.kind]).toEqual(['unreachable', 'broken']));
    expect([before.stream.isOver, after.stream.isOver]).toEqual([true, true]);
    expect(pair.gatewayHeard.filter((line) => line.startsWith('closed'))).toEqual(['closed: the connection closed']);
    expect(pair.node.send({ type: 'ping', id: 9 })).toBe(false);
  });

  test('nothing more is dispatched on it', async () => {
    await join();
    pair.gateway.close('a test');
    const client = new Client();
    expect(pair.gateway.dispatch(attempt(), client)).toBe(false);
    expect(client.error).toMatchObject({ kind: 'unreachable', message: 'the node link is closed' });
  });

  test('the node dials again after a pause, and numbers begin anew', async () => {
    await join();
    await pair.open();
    pair.gateway.close('a test');
    await eventually(() => expect(pair.nodeHeard.at(-1)).toMatch(/^down/));
    expect(pair.node.isConnected).toBe(false);
    pair.nodeClock.advance(200);
    await eventually(() => expect(pair.nodeHeard.at(-1)).toBe('connected'));
    expect(pair.node.lastStream).toBe(0);
    expect((await pair.open()).stream.number).toBe(1);
  });

  test('a node whose id another one has is told so, and waits the longest pause', async () => {
    await join({ node: { rng: { next: () => 0 } } });
    pair.gateway.replace();
    await eventually(() => expect(pair.nodeHeard.at(-1)).toMatch(/^down/));
    const fromMs = pair.nodeClock.now();
    while (pair.nodeClock.pending > 0) pair.nodeClock.advance(1);
    expect(pair.nodeClock.now() - fromMs).toBe(1_000);
  });

  test('a gateway that takes no node in is dialled ever more seldom; one that did, soon again', async () => {
    await join({ node: { rng: { next: () => 1 } } });
    const breakAndTellPauseMs = async (): Promise<number> => {
      const links = pair.gatewayLinks.length;
      const downs = pair.nodeHeard.filter((line) => line.startsWith('down')).length;
      pair.gateway.close('a test');
      await eventually(() => expect(pair.nodeHeard.filter((line) => line.startsWith('down')).length).toBe(downs + 1));
      const fromMs = pair.nodeClock.now();
      while (pair.nodeClock.pending > 0) pair.nodeClock.advance(1);
      await eventually(() => expect(pair.gatewayLinks.length).toBe(links + 1));
      await eventually(() => expect(pair.node.isConnected).toBe(true));
      return pair.nodeClock.now() - fromMs;
    };
    expect([await breakAndTellPauseMs(), await breakAndTellPauseMs(), await breakAndTellPauseMs()]).toEqual([200, 400, 800]);
    pair.gateway.send({ type: 'members', gateway: 'g1', gateways: [] });
    await eventually(() => expect(pair.nodeHeard).toContain('members of g1'));
    expect(await breakAndTellPauseMs()).toBe(200);
  });

  test('a node that was closed sends what it holds, and dials no more', async () => {
    await join({ node: { batchWindowMs: 1_000 } });
    const [first, second] = [await pair.open(), await pair.open()];
    first.stream.head(200, {});
    first.stream.data(Buffer.from('last words'));
    first.stream.end(SETTLEMENT);
    pair.node.close();
    await eventually(() => expect(pair.gatewayHeard).toContain('closed: the connection closed'));
    expect(first.client).toMatchObject({ text: 'last words', calls: ['start', 'data', 'end'] });
    expect(second.client.error?.kind).toBe('unreachable');
    expect(pair.nodeHeard).toContain('lost 2');
    expect(pair.nodeClock.pending).toBe(0);
  });
});

describe('heartbeats', () => {
  test('measure the round trip and keep a link that is idle', async () => {
    await join();
    await eventually(() => expect(pair.gatewayHeard).toEqual(['round trip 0']));
    for (let i = 2; i <= 8; i += 1) {
      pair.gatewayClock.advance(500);
      await eventually(() => expect(pair.gatewayHeard).toHaveLength(i));
    }
    expect(pair.gatewayHeard.every((line) => line === 'round trip 0')).toBe(true);
  });

  test('give up a node that is silent', async () => {
    await join();
    const { client } = await pair.open();
    await pair.quiet();
    pair.socket.pause();
    pair.gatewayClock.advance(2_500);
    expect(pair.gatewayHeard.at(-1)).toBe('closed: the node is silent');
    expect(client.error).toMatchObject({ kind: 'unreachable', message: 'the node link broke: the node is silent' });
    await eventually(() => expect(pair.node.isConnected).toBe(false));
  });

  test('give up a gateway that is silent', async () => {
    await join();
    await pair.quiet();
    pair.socket.pause();
    pair.nodeClock.advance(2_500);
    await eventually(() => expect(pair.node.isConnected).toBe(false));
    expect(pair.nodeHeard).toContain('lost');
  });
});

describe('control messages', () => {
  test('reach the other end', async () => {
    await join();
    pair.node.send(HELLO);
    pair.node.send({ type: 'state', state: 'ready', reason: '' });
    pair.node.send({
      type: 'load',
      replica: 'r1',
      seq: 4,
      ageMs: 1,
      seenStream: 0,
      running: 0,
      queued: 0,
      queuedUncachedTokens: null,
      kvTokensUsed: null,
      kvTokens: null,
      prefillTokensPerS: null,
      decodeTokensPerS: null,
    });
    pair.gateway.send({ type: 'members', gateway: 'g1', gateways: [{ id: 'g2', url: 'ws://g2' }] });
    pair.gateway.send({ type: 'drain' });
    pair.gateway.send({ type: 'resume' });
    await eventually(() => expect(pair.nodeHeard).toEqual(['connected', 'members of g1', 'drain', 'resume']));
    await eventually(() => expect(pair.gatewayHeard.filter((line) => !line.startsWith('round'))).toEqual(['hello n1', 'state ready', 'load 4']));
  });

  test('that settle an attempt are acknowledged', async () => {
    await join();
    pair.node.send({ type: 'settled', attempt: 'req_1-00', outcome: 'aborted', settlement: SETTLEMENT });
    await eventually(() => expect(pair.nodeHeard).toContain('acknowledged req_1-00'));
    expect(pair.gatewayHeard).toContain('settled req_1-00');
  });
});
