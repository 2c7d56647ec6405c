import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadHardware } from '../../src/config/index.ts';
import { alternatives, LAUNCH_LINES, planNode, type NodePlan, type NodeWish } from '../../src/plan/index.ts';

const HARDWARE = loadHardware('config/hardware.yaml');
const WISH: NodeWish = { model: 'deepseek-v3', gpu: 'h200', gpus: 8, weights: 'fp8', kv: 'bf16', parallelism: 'tp', contextTokens: 131_072, concurrency: 64 };
const plan = (change: Partial<NodeWish> = {}): NodePlan => planNode({ ...WISH, ...change }, HARDWARE);

describe('DeepSeek-V3 in FP8', () => {
  test('fits eight H200, with its latent KV cache copied to each of them', () => {
    const { memory } = plan();
    // 689 GB over eight; 61 layers of 576 values in two bytes; 85 % of 141 GB less the weights.
    expect(memory.weightBytes).toBe(689e9 / 8);
    expect(memory.kvBytesPerToken).toBe(70_272);
    expect(memory.kvTokens).toBe(Math.floor((0.85 * 141e9 - 689e9 / 8) / 70_272));
    // What is seen of SGLang on such nodes is about half a million tokens.
    expect(Math.abs(memory.kvTokens / 500_000 - 1)).toBeLessThan(0.1);
    expect(memory.sequences).toBe(3);
  });

  test('holds several times as many tokens where each GPU has sequences of its own, and twice as many in FP8', () => {
    const { memory } = plan({ parallelism: 'dp' });
    expect(memory.weightBytes).toBeCloseTo((689e9 - 11.4e9) / 8 + 11.4e9, -1);
    expect(memory.kvTokens).toBeGreaterThan(5 * plan().memory.kvTokens);
    expect(plan({ kv: 'fp8' }).memory.kvTokens / plan().memory.kvTokens).toBeCloseTo(2, 4);
  });

  test('does not fit eight H100 of 80 GB: the weights alone are more than a GPU has', () => {
    const { memory, roofline, wish, gpu } = plan({ gpu: 'h100' });
    expect(memory.weightBytes).toBeGreaterThan(gpu.memoryGb * 1e9);
    expect([memory.kvTokens, memory.sequences, roofline]).toEqual([0, 0, null]);
    expect(memory.missingBytes).toBeCloseTo(689e9 / 8 - 0.85 * 80e9, -1);
    expect(alternatives(wish, HARDWARE).map(({ gpu: name, gpus }) => [name, gpus])).toEqual([['h100', 16], ['h200', 8], ['b200', 8]]);
  });

  test('decodes no faster than the weights and caches can be read', () => {
    const { roofline } = plan({ contextTokens: 4_096, concurrency: 1 });
    // One sequence touches 8 of 256 experts: what is not an expert, and a 32nd of the experts, over eight times 4.8 TB/s.
    const experts = 58 * 256 * 44.04e6;
    const bytes = 671e9 - experts * (1 - 8 / 256) + 4_096 * 70_272 * 8;
    expect(roofline?.stepMs).toBeCloseTo((bytes / (8 * 4.8e12)) * 1e3, 6);
    expect(roofline?.boundBy).toBe('memory');
    // The simulated engine's step is slower than that, as any engine's is.
    expect(roofline?.stepMs).toBeLessThan(18);
  });
});

test('a model whose KV heads can be divided has less of the cache on each GPU', () => {
  const llama = (gpus: number): NodePlan => plan({ model: 'llama-3.1-8b', weights: 'bf16', gpus });
  expect(llama(1).memory.kvBytesPerToken).toBe(32 * 2_048 * 2);
  expect(llama(4).memory.kvBytesPerToken).toBe((32 * 2_048 * 2) / 4);
  expect(llama(16).memory.kvBytesPerToken).toBe((32 * 2_048 * 2) / 8);
});

test('whatever is planned, memory adds up, and more memory or fewer tokens never fit worse', () => {
  const wishes = fc.record({
    model: fc.constantFrom(...Object.keys(HARDWARE.models)),
    gpu: fc.constantFrom('h200', 'h100', 'h20', 'b200'),
    gpus: fc.constantFrom(1, 2, 4, 8, 16),
    weights: fc.constantFrom('fp8', 'bf16'),
    kv: fc.constantFrom('fp8', 'bf16'),
    parallelism: fc.constantFrom('tp', 'dp'),
    contextTokens: fc.integer({ min: 1, max: 131_072 }),
    concurrency: fc.integer({ min: 1, max: 1_024 }),
  } as const);
  fc.assert(
    fc.property(wishes, (wish) => {
      const { memory, roofline } = planNode(wish, HARDWARE);
      expect(memory.weightBytes + memory.kvBytes + memory.reservedBytes - memory.missingBytes).toBeCloseTo(memory.totalBytes, -2);
      expect(memory.sequences * wish.contextTokens).toBeLessThanOrEqual(memory.kvTokens);
      expect(planNode({ ...wish, gpus: 2 * wish.gpus }, HARDWARE).memory.sequences).toBeGreaterThanOrEqual(memory.sequences);
      expect(planNode({ ...wish, contextTokens: Math.ceil(wish.contextTokens / 2) }, HARDWARE).memory.sequences).toBeGreaterThanOrEqual(memory.sequences);
      expect(roofline === null).toBe(memory.sequences === 0);
      if (roofline !== null) for (const value of [roofline.prefillTokensPerS, roofline.stepMs, roofline.decodeTokensPerS]) expect(value).toBeGreaterThan(0);
    }),
  );
});

test.each<[Partial<NodeWish>, string, string]>([
  [{ gpu: 'h300' }, 'gpu', 'did you mean h200?'],
  [{ model: 'deepseek' }, 'model', 'is not in the catalogue, which has deepseek-v3'],
  [{ contextTokens: 200_000 }, 'context', 'are more than deepseek-v3 takes: 163840'],
  [{ gpu: 'a100', gpus: 32 }, 'weights', 'does not compute in fp8; it does in bf16'],
  [{ gpu: 'constructor' }, 'gpu', 'is not in the catalogue'],
])('%j is refused, and said why', (change, param, why) => {
  expect(() => plan(change)).toThrow(expect.objectContaining({ code: 'invalid_value', param, message: expect.stringContaining(why) }));
});

describe.each(Object.entries(LAUNCH_LINES))('the launch line of %s', (_, launchOf) => {
  const words = (change: Partial<NodeWish> = {}): string => {
    const { command, files } = launchOf(plan(change));
    return [...command, ...files.map(({ text }) => text)].join(' ');
  };

  test('binds the engine to the loopback, and says model, GPUs, context and sequences', () => {
    for (const part of ['127.0.0.1', 'deepseek-ai/DeepSeek-V3', '131072', '64']) expect(words()).toContain(part);
    expect(words()).toMatch(/(--tp|--tensor-parallel-size|--tp_size) 8/);
  });

  test('divides attention over sequences where that is wanted, and says so only then', () => {
    const isDivided = /--enable-dp-attention|--data-parallel-size 8|enable_attention_dp: true/;
    expect(words({ parallelism: 'dp' })).toMatch(isDivided);
    expect(words()).not.toMatch(isDivided);
  });

  test('has the KV cache in the wanted format, cached prefixes, and drafts by the model\'s own module where there is one', () => {
    expect(words({ kv: 'fp8' })).toContain('fp8');
    expect(words()).toMatch(/EAGLE|mtp|MTP/);
    expect(words({ model: 'llama-3.1-8b', weights: 'bf16' })).not.toMatch(/EAGLE|mtp|MTP/);
  });
});
