import { afterEach, describe, expect, test } from 'vitest';
import { AttemptError } from '../../src/openai/index.ts';
import { Client } from './client.ts';
import { eventually } from '../support/eventually.ts';
import { attempt, LinkedPair, SETTLEMENT, type PairOptions } from './linked-pair.ts';

let pair: LinkedPair;

async function join(options: PairOptions = {}): Promise<void> {
  pair = await (await LinkedPair.join(options)).connected();
}

afterEach(() => pair.close());

describe('a stream', () => {
  test('carries a request to the node and its answer back', async () => {
    await join();
    const client = new Client();
    pair.gateway.dispatch(attempt('{"prompt":"ü"}'), client);
    await eventually(() => expect(pair.opened).toHaveLength(1));
    const { body: _, ...head } = attempt();
    expect(pair.opened[0]).toMatchObject({ head, body: '{"prompt":"ü"}' });
    expect(pair.gateway.openStreams).toBe(1);
    const stream = pair.opened[0]?.stream;
    stream?.head(200, { 'content-type': 'text/event-stream' });
    stream?.data(Buffer.from('data: a\n\n'));
    stream?.data(Buffer.from('data: b\n\n'));
    stream?.end(SETTLEMENT);
    await eventually(() => expect(client.calls).toEqual(['start', 'data', 'end']));
    expect(client).toMatchObject({ status: 200, text: 'data: a\n\ndata: b\n\n', settlement: SETTLEMENT });
    expect(client.headers).toEqual({ 'content-type': 'text/event-stream' });
    expect(pair.gateway.openStreams).toBe(0);
  });

  test('has a number of its own, which rises', async () => {
    await join();
    const [first, second] = [await pair.open(), await pair.open()];
    expect([first.stream.number, second.stream.number]).toEqual([1, 2]);
    expect(pair.gateway.lastDispatch).toBe(2);
    expect(pair.node.lastStream).toBe(2);
    second.stream.head(200, {});
    second.stream.data(Buffer.from('second'));
    first.stream.head(201, {});
    first.stream.data(Buffer.from('first'));
    await eventually(() => expect([first.client.text, second.client.text]).toEqual(['first', 'second']));
  });

  test('fails as the node says, with what it had come to', async () => {
    await join();
    const { client, stream } = await pair.open();
    stream.head(200, {});
    stream.fail('engine', 'out of memory', SETTLEMENT);
    await eventually(() => expect(client.error).toMatchObject({ kind: 'engine', message: 'out of memory', settlement: SETTLEMENT }));
    expect(pair.gateway.openStreams).toBe(0);
  });

  test('says nothing after its end', async () => {
    await join();
    const { client, stream } = await pair.open();
    stream.head(200, {});
    stream.end(SETTLEMENT);
    stream.data(Buffer.from('late'));
    stream.fail('broken', 'late', null);
    await pair.quiet();
    expect(client.calls).toEqual(['start', 'end']);
    expect(stream.isOver).toBe(true);
  });

  test('that is given up is cancelled on the node, and ends with the reason', async () => {
    await join();
    const { client, stream } = await pair.open();
    stream.head(200, {});
    await eventually(() => expect(client.calls).toEqual(['start']));
    client.controller?.abort(new AttemptError('timeout', 'too slow', null));
    client.controller?.abort(new Error('twice'));
    expect(client.calls).toEqual(['start', 'error']);
    expect(client.error).toMatchObject({ kind: 'timeout', message: 'too slow' });
    expect(client.controller?.aborted).toBe(true);
    await eventually(() => expect(pair.nodeHeard).toContain('cancel 1'));
    expect(stream.isOver).toBe(true);
    stream.data(Buffer.from('late'));
    await pair.quiet();
    expect(client.calls).toEqual(['start', 'error']);
  });

  test('that is given up for any other reason counts as cancelled, not as the node’s fault', async () => {
    await join();
    const { client } = await pair.open();
    client.controller?.abort(new Error('client left'));
    expect(client.error).toMatchObject({ kind: 'cancelled', message: 'client left' });
  });

  test('that is given up as it starts never reaches the node', async () => {
    await join();
    const client = new Client();
    client.onRequestStart = (controller) => controller.abort(new AttemptError('cancelled', 'gone', null));
    expect(pair.gateway.dispatch(attempt(), client)).toBe(true);
    expect(client.error).toMatchObject({ kind: 'cancelled', message: 'gone' });
    await pair.open();
    expect(pair.nodeHeard).toEqual(['connected', 'open 2']);
  });

  test('that is cancelled after its end is told to the node as late', async () => {
    await join();
    const { client, stream } = await pair.open();
    stream.head(200, {});
    stream.end(SETTLEMENT);
    client.controller?.abort(new Error('gone'));
    await eventually(() => expect(pair.nodeHeard).toContain('cancel late 1'));
  });

  test('of long data comes whole, past others that are short', async () => {
    await join({ gateway: { messageBytesMax: 9_000_000 } });
    const [long, short] = [await pair.open(), await pair.open()];
    const bytes = Buffer.alloc(20_000_000, 'long ');
    long.stream.head(200, {});
    long.stream.data(bytes);
    long.stream.end(SETTLEMENT);
    short.stream.head(200, {});
    short.stream.end(SETTLEMENT);
    await eventually(() => expect(long.client.calls.at(-1)).toBe('end'));
    expect(long.client.text === bytes.toString()).toBe(true);
    expect(short.client.calls).toEqual(['start', 'end']);
  });
});

describe('a paused stream', () => {
  test('gathers while others go on, and resumes in order', async () => {
    await join();
    const [slow, fast] = [await pair.open(), await pair.open()];
    slow.stream.head(200, {});
    slow.stream.data(Buffer.from('1'));
    await eventually(() => expect(slow.client.text).toBe('1'));
    slow.client.controller?.pause();
    expect(slow.client.controller?.paused).toBe(true);
    for (const text of ['2', '3', '4']) slow.stream.data(Buffer.from(text));
    slow.stream.end(SETTLEMENT);
    fast.stream.head(200, {});
    fast.stream.end(SETTLEMENT);
    await eventually(() => expect(fast.client.calls).toEqual(['start', 'end']));
    expect(slow.client.text).toBe('1');
    slow.client.controller?.resume();
    expect(slow.client.text).toBe('1234');
    expect(slow.client.calls).toEqual(['start', 'data', 'end']);
    expect(slow.client.settlement).toEqual(SETTLEMENT);
  });

  test('that is paused again as it resumes gives one piece at a time', async () => {
    await join();
    const { client, stream } = await pair.open();
    client.pauseAfterData = true;
    stream.head(200, {});
    for (const text of ['1', '2', '3']) stream.data(Buffer.from(text));
    stream.end(SETTLEMENT);
    await pair.quiet();
    expect(client.text).toBe('1');
    client.controller?.resume();
    expect(client.text).toBe('12');
    client.controller?.resume();
    expect(client.text).toBe('123');
    expect(client.calls.at(-1)).toBe('data');
    client.controller?.resume();
    expect(client.calls.at(-1)).toBe('end');
  });

  test('is given up over its cap, and the node is told', async () => {
    await join();
    const { client, stream } = await pair.open();
    stream.head(200, {});
    await eventually(() => expect(client.calls).toEqual(['start']));
    client.controller?.pause();
    for (let i = 0; i < 12; i += 1) stream.data(Buffer.alloc(1_000));
    await eventually(() => expect(pair.nodeHeard).toContain('cancel 1'));
    expect(client.error).toMatchObject({ kind: 'cancelled', message: 'the client reads too slowly' });
    client.controller?.resume();
    expect(client.calls).toEqual(['start', 'error']);
  });

  test('may have one long piece wait, and its end, since an answer that is not streamed comes so', async () => {
    await join();
    const { client, stream } = await pair.open();
    client.pauseAfterData = true;
    stream.head(200, {});
    stream.data(Buffer.from('1'));
    stream.data(Buffer.alloc(50_000, '2'));
    stream.end(SETTLEMENT);
    await pair.quiet();
    expect(client.text).toBe('1');
    client.controller?.resume();
    client.controller?.resume();
    expect(client.text).toHaveLength(50_001);
    expect(client.calls.at(-1)).toBe('end');
  });

  test('whose answer was whole keeps it when the link breaks', async () => {
    await join();
    const { client, stream } = await pair.open();
    stream.head(200, {});
    await eventually(() => expect(client.calls).toEqual(['start']));
    client.controller?.pause();
    stream.data(Buffer.from('all'));
    stream.end(SETTLEMENT);
    await pair.quiet();
    pair.gateway.close('a test');
    client.controller?.resume();
    expect(client).toMatchObject({ text: 'all', calls: ['start', 'data', 'end'] });
  });

  test('that is given up before its end was delivered asks the node for its count again', async () => {
    await join();
    const { client, stream } = await pair.open();
    stream.head(200, {});
    await eventually(() => expect(client.calls).toEqual(['start']));
    client.controller?.pause();
    stream.end(SETTLEMENT);
    await pair.quiet();
    client.controller?.abort(new Error('gone'));
    expect(client.calls).toEqual(['start', 'error']);
    await eventually(() => expect(pair.nodeHeard).toContain('cancel late 1'));
  });

  test('finds a fault of the node when it comes, not when the client reads on', async () => {
    await join();
    const { client, stream } = await pair.open();
    stream.head(200, {});
    await eventually(() => expect(client.calls).toEqual(['start']));
    client.controller?.pause();
    stream.head(200, {});
    await eventually(() => expect(pair.gatewayHeard).toContain('closed: the node broke the protocol: a second head came'));
    expect(client.error?.kind).toBe('broken');
    client.controller?.resume();
  });
});
