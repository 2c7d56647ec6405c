import { expect, it } from 'vitest';
import { seededRng } from '../../src/core/index.ts';
import { readFaults } from '../../src/sim/index.ts';
import { chat, engine, post, readStream, records } from './engine-client.ts';

it('counts each of many whole, failed and aborted streams as its client saw it, and sums them exactly', async () => {
  const kinds = ['reset', 'truncate', 'midError'].map((kind, i) => ({ kind, afterTokens: 3 + 4 * i, probability: 0.2 }));
  const one = await engine({ seed: 4, faults: readFaults({ requests: kinds }) });
  const rng = seededRng(11);
  const options = { stream: true, stream_options: { include_usage: true, continuous_usage_stats: true } };
  const seen = new Map<string, { prompt: number; cached: number; completion: number }>();
  await Promise.all(
    Array.from({ length: 120 }, async (_, i) => {
      const rid = `m-${String(i).padStart(3, '0')}`;
      const content = 'the '.repeat(70 * (i % 3)) + String(i % 7);
      const answer = await readStream(await post(one, '/v1/chat/completions', chat(content, { ...options, rid, max_tokens: 1 + Math.floor(rng.next() * 60) })));
      const usage = answer.chunks.findLast((chunk) => chunk.usage !== undefined)?.usage;
      seen.set(rid, {
        prompt: usage?.prompt_tokens ?? 0,
        cached: usage?.prompt_tokens_details?.cached_tokens ?? 0,
        completion: usage?.completion_tokens ?? 0,
      });
    }),
  );
  const truth = await records(one, 120);
  expect(new Set(truth.map((record) => record.outcome))).toEqual(new Set(['finished', 'failed']));
  for (const { rid, prompt, cached, completion } of truth) expect(seen.get(rid)).toEqual({ prompt, cached, completion });
  const completion = truth.reduce((sum, record) => sum + record.completion, 0);
  expect(await (await fetch(`${one.url}/sim/totals`)).json()).toMatchObject({ attempts: 120, completion });
});
