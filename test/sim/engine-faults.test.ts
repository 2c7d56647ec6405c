import { describe, expect, it, vi } from 'vitest';
import { readFaults } from '../../src/sim/index.ts';
import { chat, engine, json, post, readStream, records } from './engine-client.ts';
import { eventually } from '../support/eventually.ts';

const CHAT = '/v1/chat/completions';
const ask = chat('Hello', { stream: true, ignore_eos: true, max_tokens: 20, rid: 'r' });
const whole = chat('Hello', { ignore_eos: true, max_tokens: 20, rid: 'w' });

async function failing(fault: object) {
  return engine({ faults: readFaults({ requests: [{ times: 1, ...fault }] }) });
}

describe('faults of the simulated engine', () => {
  it('refuses: the connection closes before any byte', async () => {
    const one = await failing({ kind: 'refuse' });
    await expect(post(one, CHAT, ask)).rejects.toThrow('fetch failed');
    expect((await readStream(await post(one, CHAT, ask))).isDone).toBe(true);
  });

  it.each([
    ['error503', 503],
    ['error429', 429],
  ])('%s: answers with that status', async (kind, status) => {
    const response = await post(await failing({ kind }), CHAT, ask);
    expect([response.status, (await json(response))['code']]).toEqual([status, status]);
  });

  it('empty: a 200 without a token', async () => {
    const one = await failing({ kind: 'empty' });
    const answer = await readStream(await post(one, CHAT, ask));
    expect([answer.chunks.length, answer.isDone]).toEqual([0, true]);
    expect(await records(one, 1)).toMatchObject([{ completion: 0, outcome: 'failed' }]);
  });

  it('reset: the connection breaks right after k tokens', async () => {
    const one = await failing({ kind: 'reset', afterTokens: 7 });
    const answer = await readStream(await post(one, CHAT, ask));
    expect(answer).toMatchObject({ isBroken: true, isDone: false });
    expect(answer.chunks).toHaveLength(8);
    expect(await records(one, 1)).toMatchObject([{ rid: 'r', completion: 7, outcome: 'failed' }]);
  });

  it('truncate: the stream ends cleanly but unfinished; an answer in one piece is cut', async () => {
    const one = await engine({ faults: readFaults({ requests: [{ kind: 'truncate', afterTokens: 7 }] }) });
    const answer = await readStream(await post(one, CHAT, ask));
    expect(answer).toMatchObject({ isBroken: false, isDone: false });
    expect(answer.chunks.at(-1)?.choices[0]?.finish_reason).toBeNull();
    await expect(json(await post(one, CHAT, whole))).rejects.toThrow('JSON');
  });

  it('midError: an error object after k tokens, or a 500 instead of an answer in one piece', async () => {
    const one = await engine({ faults: readFaults({ requests: [{ kind: 'midError', afterTokens: 3 }] }) });
    const answer = await readStream(await post(one, CHAT, ask));
    expect(answer.chunks).toHaveLength(5);
    expect(answer.chunks.at(-1)?.error).toMatchObject({ code: 500 });
    expect((await post(one, CHAT, whole)).status).toBe(500);
    expect((await records(one, 2)).map((record) => record.completion)).toEqual([3, 3]);
  });

  it('garbage: nonsense with the right number of tokens', async () => {
    const one = await failing({ kind: 'garbage' });
    const garbage = await readStream(await post(one, CHAT, ask));
    const healthy = await readStream(await post(one, CHAT, ask));
    expect(garbage.text).not.toBe(healthy.text);
    expect(garbage.chunks).toHaveLength(healthy.chunks.length);
  });

  it('stall: nothing more after k tokens until the request is aborted', async () => {
    const one = await failing({ kind: 'stall', afterTokens: 4 });
    const reading = readStream(await post(one, CHAT, ask));
    await eventually(() => expect(one.model.load()).toMatchObject({ runningRequests: 0 }));
    expect((await json(await fetch(`${one.url}/sim/requests`)))['running']).toBe(1);
    await post(one, '/abort_request', { rid: 'r' });
    expect((await reading).chunks.at(-1)?.choices[0]?.finish_reason).toBe('abort');
    expect(await records(one, 1)).toMatchObject([{ completion: 4, outcome: 'aborted' }]);
  });

  it('crash: all connections break, the port closes, and the owner is told', async () => {
    const onCrash = vi.fn<() => void>();
    const one = await engine({ onCrash, faults: readFaults({ requests: [{ kind: 'crash', afterTokens: 2 }] }) });
    expect((await readStream(await post(one, CHAT, ask))).isBroken).toBe(true);
    await eventually(() => expect(onCrash).toHaveBeenCalledOnce());
    await expect(fetch(`${one.url}/health`)).rejects.toThrow('fetch failed');
    expect(one.server.log.list(0, 9)).toMatchObject([{ completion: 2, outcome: 'failed' }]);
  });

  it('slow start: unhealthy at first, then healthy', async () => {
    const one = await engine({ faults: readFaults({ slowStartMs: 1e9 }) });
    expect((await fetch(`${one.url}/health`)).status).toBe(503);
    await post(one, '/sim/faults', {});
    expect((await fetch(`${one.url}/health`)).status).toBe(200);
  });

  it('freezes load reports and slows its steps', async () => {
    const one = await engine({ timeScale: 1 });
    expect(await json(await post(one, '/sim/faults', { freezeLoad: true, slowdown: 1e6 }))).toMatchObject({ slowdown: 1e6 });
    const leave = new AbortController();
    const pending = post(one, CHAT, ask, leave.signal).catch(() => 'left');
    await eventually(() => expect(one.model.load().runningRequests + one.model.load().waitingRequests).toBe(1));
    expect(one.model.nextEventAtMs()).toBeGreaterThan(1e6);
    expect(await json(await fetch(`${one.url}/v1/loads`))).toMatchObject({ loads: [{ num_running_reqs: 0, num_waiting_reqs: 0 }] });
    leave.abort();
    expect(await pending).toBe('left');
    expect(await records(one, 1)).toMatchObject([{ completion: 0, outcome: 'aborted' }]);
  });

  it('hits by chance from its seed, the same each time', async () => {
    const play = async (): Promise<number[]> => {
      const one = await engine({ seed: 9, faults: readFaults({ requests: [{ kind: 'error503', probability: 0.5 }] }) });
      const statuses: number[] = [];
      for (let i = 0; i < 12; i += 1) {
        const response = await post(one, CHAT, chat('a', { max_tokens: 1 }));
        await response.text();
        statuses.push(response.status);
      }
      return statuses;
    };
    const first = await play();
    expect(new Set(first)).toEqual(new Set([200, 503]));
    expect(await play()).toEqual(first);
  });
});
