import { afterEach, beforeEach, expect, test } from 'vitest';
import { attemptId, noLog, requestId, seededRng, systemClock } from '../../src/core/index.ts';
import { startNodeDaemon, type NodeDaemon } from '../../src/node/index.ts';
import type { Settlement } from '../../src/openai/index.ts';
import { NO_FAULTS, startSimEngine, type SimEngine } from '../../src/sim/index.ts';
import { FakeGateway, type SeenAttempt } from '../support/fake-gateway.ts';
import { nodeOptions } from '../support/node-under-test.ts';
import { eventually } from '../support/eventually.ts';

interface EngineRecord {
  readonly rid: string;
  readonly prompt: number;
  readonly cached: number;
  readonly completion: number;
  readonly reasoning: number;
}

let engine: SimEngine;
let gateway: FakeGateway;
let daemon: NodeDaemon;

beforeEach(async () => {
  engine = await startSimEngine({ timeScale: 4 });
  gateway = new FakeGateway();
  await gateway.start();
  daemon = await startNodeDaemon(
    { ...nodeOptions(engine.url, [gateway.url], { contextTokens: 163_840 }), models: ['deepseek-v3'] },
    { clock: systemClock, rng: seededRng(1), log: noLog },
  );
  await eventually(() => {
    if (gateway.state !== 'ready') throw new Error('the node is not ready yet');
  });
});

afterEach(async () => {
  await daemon.close();
  await gateway.stop();
  await engine.close();
});

function open(isStreamed: boolean, maxTokens: number): { id: string; isStreamed: boolean; attempt: SeenAttempt } {
  const id = attemptId(requestId(Date.now()), 0);
  // An end mark is a token without an event: one that the fault cuts off could be known to nobody.
  const body = { model: 'deepseek-v3', messages: [{ role: 'user', content: `Tell me of ${id}` }], max_tokens: maxTokens, stream: isStreamed, ignore_eos: true };
  return { id, isStreamed, attempt: gateway.open({ id, streamed: isStreamed }, body) };
}

async function records(): Promise<EngineRecord[]> {
  const answer = await fetch(`${engine.url}/sim/requests?limit=1000`);
  const page = (await answer.json()) as { data: EngineRecord[] };
  return page.data;
}

function settlementOf(id: string, attempt: SeenAttempt): Settlement | null {
  const ended: unknown = attempt.settlement ?? Reflect.get(Object(attempt.error), 'settlement');
  return (ended as Settlement | null | undefined) ?? gateway.settled.find((settled) => settled.attempt === id)?.settlement ?? null;
}

test('whole, cancelled and broken attempts come to what the engine says it made, token for token', async () => {
  engine.faults.set({ ...NO_FAULTS, requests: [{ kind: 'truncate', afterTokens: 7, times: null, probability: 0.3 }] });
  const opened = Array.from({ length: 60 }, (_, n) => open(n % 4 !== 3, 40));
  for (const [n, { attempt }] of opened.entries()) if (n % 3 === 0) attempt.piecesMax = 1 + (n % 20);
  opened[0]?.attempt.controller?.abort(new Error('the client left at once'));
  await eventually(() => expect(opened.some(({ attempt }) => attempt.pieces > 3)).toBe(true));
  for (const [n, { attempt }] of opened.entries()) if (n % 8 === 7) attempt.controller?.abort(new Error('the client left'));
  await eventually(() => expect(opened.every(({ id, attempt }) => settlementOf(id, attempt) !== null)).toBe(true));
  const made = new Map((await records()).map((record) => [record.rid, record]));
  for (const { id, isStreamed, attempt } of opened) {
    const settlement = settlementOf(id, attempt);
    const record = made.get(id);
    const usage = settlement?.usage ?? settlement?.counted ?? null;
    // Of an answer in one piece that broke off nothing was seen: its count is unknown, which is not zero.
    if (!isStreamed && attempt.error !== null && usage === null) continue;
    // An attempt that was cancelled before it reached the engine left no record there.
    expect({ id, usage }).toEqual({
      id,
      usage: {
        promptTokens: record?.prompt ?? 0,
        cachedTokens: record?.cached ?? 0,
        completionTokens: record?.completion ?? 0,
        reasoningTokens: record?.reasoning ?? 0,
      },
    });
  }
});

test('the load that is reported is the engine’s own', async () => {
  const { attempt } = open(true, 200);
  await eventually(() => expect(gateway.loads.at(-1)).toMatchObject({ running: 1, kvTokens: engine.model.config.kvTokens }));
  attempt.controller?.abort(new Error('enough'));
  await eventually(() => expect(gateway.loads.at(-1)).toMatchObject({ running: 0, seenStream: 1 }));
});
