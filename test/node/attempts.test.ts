import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AttemptError } from '../../src/openai/index.ts';
import { streamEnd, streamHead, streamToken, usage, type HeldRequest } from '../support/fake-engine.ts';
import type { SeenAttempt } from '../support/fake-gateway.ts';
import { nodeOptions, NodeUnderTest } from '../support/node-under-test.ts';
import { eventually } from '../support/eventually.ts';

const BODY = { model: 'm', messages: [{ role: 'user', content: 'Hi' }], stream: true };

let node: NodeUnderTest;

beforeEach(() => {
  node = new NodeUnderTest();
});

afterEach(() => node.close());

async function held(index = 0): Promise<HeldRequest> {
  await eventually(() => expect(node.engine.held.length).toBeGreaterThan(index));
  const request = node.engine.held[index];
  if (request === undefined) throw new Error('the engine has no such request');
  return request;
}

async function over(attempt: SeenAttempt): Promise<void> {
  await eventually(() => expect(attempt.isOver).toBe(true));
}

function counts(completionTokens: number): object {
  return { promptTokens: 10, cachedTokens: 4, completionTokens, reasoningTokens: 0 };
}

describe('an attempt through a node', () => {
  test('gives the engine what it needs, and nothing that only the gateway may know', async () => {
    await node.start();
    node.gateway.open({ id: 'attempt-1', priority: 3 }, BODY);
    const request = await held();
    expect(request.path).toBe('/v1/chat/completions');
    expect(request.body).toEqual({
      ...BODY,
      stream_options: { include_usage: true, continuous_usage_stats: true },
      rid: 'attempt-1',
      priority: 3,
      cache_salt: 'ab12',
    });
    expect(request.headers).not.toHaveProperty('x-secret');
  });

  test('passes the stream on byte for byte, without the counts that are the node’s own', async () => {
    await node.start();
    const attempt = node.gateway.open({ id: 'attempt-1' }, BODY);
    const request = await held();
    streamHead(request);
    streamToken(request, 'Héllo', 1);
    streamToken(request, ' wörld', 2);
    streamEnd(request, 'stop', 2);
    await over(attempt);
    expect(attempt.status).toBe(200);
    expect(attempt.headers).toEqual({ 'content-type': 'text/event-stream' });
    expect(attempt.text).toBe(
      'data: {"choices":[{"index":0,"delta":{"content":"Héllo"},"finish_reason":null}]}\n\n' +
        'data: {"choices":[{"index":0,"delta":{"content":" wörld"},"finish_reason":null}]}\n\n' +
        'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    );
    expect(attempt.settlement).toEqual({ usage: counts(2), counted: counts(2), frames: 3 });
    expect(node.gateway.settled).toEqual([]);
  });

  test('passes an answer in one piece on with its count', async () => {
    await node.start();
    const attempt = node.gateway.open({ id: 'attempt-1', streamed: false }, { ...BODY, stream: false });
    const request = await held();
    request.response.writeHead(200, { 'content-type': 'application/json' });
    request.response.end(JSON.stringify({ choices: [{ index: 0 }], usage: usage(7) }));
    await over(attempt);
    expect(attempt.settlement).toMatchObject({ usage: counts(7) });
    expect(JSON.parse(attempt.text)).toMatchObject({ usage: { completion_tokens: 7 } });
  });

  test('that breaks off fails with the count so far, and the engine is told to stop', async () => {
    await node.start();
    const attempt = node.gateway.open({ id: 'attempt-1' }, BODY);
    const request = await held();
    streamHead(request);
    streamToken(request, 'a', 1);
    await eventually(() => expect(attempt.text).not.toBe(''));
    request.response.destroy();
    await over(attempt);
    expect(attempt.error).toMatchObject({ kind: 'broken', settlement: { counted: counts(1) } });
    await eventually(() => expect(node.engine.aborts).toEqual(['attempt-1']));
  });

  test('past its deadline is aborted and fails as a timeout, with the count of what was made', async () => {
    await node.start();
    node.engine.onAbort = (request) => {
      streamHead(request);
      streamEnd(request, 'abort', 5);
    };
    const attempt = node.gateway.open({ id: 'attempt-1', deadlineMs: 30 }, BODY);
    await over(attempt);
    expect(attempt.error).toMatchObject({ kind: 'timeout', settlement: { usage: counts(5) } });
    expect(attempt.status).toBe(0);
    expect(attempt.text).toBe('');
    expect(node.engine.aborts).toEqual(['attempt-1']);
  });

  test('to an engine that is gone fails as unreachable and is known to have cost nothing', async () => {
    await node.start();
    await node.engine.stop();
    const attempt = node.gateway.open({ id: 'attempt-1' }, BODY);
    await over(attempt);
    expect(attempt.error).toBeInstanceOf(AttemptError);
    expect(attempt.error).toMatchObject({ kind: 'unreachable', settlement: { counted: { completionTokens: 0 } } });
  });

  test('for one of the engine’s control endpoints is refused', async () => {
    await node.start();
    const attempt = node.gateway.open({ id: 'attempt-1' }, BODY, '/flush_cache');
    await over(attempt);
    expect(attempt.status).toBe(404);
    expect(node.engine.held).toEqual([]);
  });

  test('beyond the bound is refused with 503', async () => {
    await node.start({ tuning: { attemptsMax: 1 } });
    node.gateway.open({ id: 'attempt-1' }, BODY);
    const second = node.gateway.open({ id: 'attempt-2' }, BODY);
    await over(second);
    expect(second.status).toBe(503);
  });
});

describe('a cancelled attempt', () => {
  test('is aborted in the engine, and settled with every token the engine made until it obeyed', async () => {
    await node.start();
    node.engine.onAbort = (request) => {
      streamToken(request, 'late', 3);
      streamEnd(request, 'abort', 4);
    };
    const attempt = node.gateway.open({ id: 'attempt-1' }, BODY);
    const request = await held();
    streamHead(request);
    streamToken(request, 'a', 1);
    await eventually(() => expect(attempt.text).not.toBe(''));
    attempt.controller?.abort(new Error('the client left'));
    await eventually(() => expect(node.gateway.settled).toHaveLength(1));
    expect(node.engine.aborts).toEqual(['attempt-1']);
    expect(node.gateway.settled[0]).toMatchObject({ attempt: 'attempt-1', outcome: 'aborted', settlement: { usage: counts(4), counted: counts(4) } });
    await eventually(() => expect(node.daemon.status().gateways[0]?.settlementsPending).toBe(0));
  });

  test('that is not streamed is settled by the partial answer', async () => {
    await node.start();
    node.engine.onAbort = ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ choices: [{ index: 0, finish_reason: 'abort' }], usage: usage(6) }));
    };
    const attempt = node.gateway.open({ id: 'attempt-1', streamed: false }, { ...BODY, stream: false });
    await held();
    attempt.controller?.abort(new Error('the client left'));
    await eventually(() => expect(node.gateway.settled).toHaveLength(1));
    expect(node.gateway.settled[0]).toMatchObject({ settlement: { usage: counts(6) } });
  });

  test('is aborted again when the first abort came before the request, and cut when none is obeyed', async () => {
    await node.start({ tuning: { abortRepeatMs: 5, abortWaitMs: 100 } });
    const attempt = node.gateway.open({ id: 'attempt-1' }, BODY);
    const request = await held();
    streamHead(request);
    streamToken(request, 'a', 1);
    await eventually(() => expect(attempt.text).not.toBe(''));
    attempt.controller?.abort(new Error('the client left'));
    await eventually(() => expect(node.gateway.settled).toHaveLength(1));
    expect(node.engine.aborts.length).toBeGreaterThan(1);
    expect(node.engine.gone).toEqual(['attempt-1']);
    expect(node.gateway.settled[0]).toMatchObject({ settlement: { usage: null, counted: counts(1) } });
  });

  test('of which the engine said nothing has no known count', async () => {
    await node.start({ tuning: { abortWaitMs: 10 } });
    const attempt = node.gateway.open({ id: 'attempt-1' }, BODY);
    await held();
    attempt.controller?.abort(new Error('the client left'));
    await eventually(() => expect(node.gateway.settled).toHaveLength(1));
    expect(node.gateway.settled[0]).toMatchObject({ settlement: { usage: null, counted: null, frames: 0 } });
  });

  test('whose end had already left is settled by that end', async () => {
    const { link } = nodeOptions('', []);
    await node.start({ link: { ...link, batchWindowMs: 300 } });
    node.gateway.open({ id: 'attempt-0' }, BODY);
    const attempt = node.gateway.open({ id: 'attempt-1' }, BODY);
    const request = await held(1);
    streamHead(request);
    streamEnd(request, 'stop', 1);
    await eventually(() => expect(node.daemon.status().counters.attemptsCompleted).toBe(1));
    attempt.controller?.abort(new Error('the client left'));
    await eventually(() => expect(node.gateway.settled).toHaveLength(1));
    expect(attempt.trailers).toBe(null);
    expect(node.gateway.settled[0]).toMatchObject({ attempt: 'attempt-1', outcome: 'completed', settlement: { usage: counts(1) } });
  });

  test('of an engine without an abort call ends with its connection', async () => {
    await node.start({}, 'openai');
    const attempt = node.gateway.open({ id: 'attempt-1' }, BODY);
    const request = await held();
    expect(request.body).toEqual({ ...BODY, stream_options: { include_usage: true } });
    streamHead(request);
    streamToken(request, 'a', 1);
    await eventually(() => expect(attempt.text).not.toBe(''));
    attempt.controller?.abort(new Error('the client left'));
    await eventually(() => expect(node.gateway.settled).toHaveLength(1));
    await eventually(() => expect(node.engine.gone).toHaveLength(1));
    expect(node.engine.aborts).toEqual([]);
  });
});

describe('a link that breaks', () => {
  test('aborts its attempts in the engine; their counts come once it stands again, until acknowledged', async () => {
    await node.start();
    node.engine.onAbort = (request) => streamEnd(request, 'abort', 9);
    const attempt = node.gateway.open({ id: 'attempt-1' }, BODY);
    const request = await held();
    streamHead(request);
    streamToken(request, 'a', 1);
    await eventually(() => expect(attempt.text).not.toBe(''));
    await node.gateway.stop();
    await eventually(() => expect(node.daemon.status().gateways[0]?.settlementsPending).toBe(1));
    expect(node.engine.aborts).toEqual(['attempt-1']);
    const messagesBefore = node.gateway.order.length;
    await node.gateway.start();
    await eventually(() => expect(node.gateway.settled).toHaveLength(1));
    expect(node.gateway.settled[0]).toMatchObject({ attempt: 'attempt-1', outcome: 'aborted', settlement: { usage: counts(9) } });
    expect(node.gateway.order.slice(messagesBefore, messagesBefore + 3)).toEqual(['hello', 'state', 'load']);
    await eventually(() => expect(node.daemon.status().gateways[0]?.settlementsPending).toBe(0));
  });
});

test('fifty streams that step together arrive in few messages, though the engine writes them one after the other', async () => {
  const { link } = nodeOptions('', []);
  await node.start({ link: { ...link, batchWindowMs: 20 } });
  const streams = Array.from({ length: 50 }, (_, n) => node.gateway.open({ id: `attempt-${n + 10}` }, BODY));
  await held(49);
  for (const request of node.engine.held) streamHead(request);
  const before = node.gateway.binaryMessages;
  const steps = 10;
  for (let step = 1; step <= steps; step += 1) {
    for (const [n, request] of node.engine.held.entries()) {
      streamToken(request, String(step), step);
      if (n % 10 === 9) await new Promise(setImmediate);
    }
    await eventually(() => expect(streams.every((stream) => stream.text.includes(`"${step}"`))).toBe(true));
  }
  expect(node.gateway.binaryMessages - before).toBeLessThanOrEqual(steps * 2);
});
