import { BYTES, kvValues } from './memory.ts';
import type { Gpu, Model, NodeWish } from './node-plan.ts';

/** The fastest that memory and arithmetic allow (Williams, Waterman and Patterson, "Roofline", CACM 2009): no engine reaches it. */
export interface Roofline {
  /** Of prompts of the wanted context, all GPUs together. */
  readonly prefillTokensPerS: number;
  /** In a decode step: as many as are wanted, or as fit. */
  readonly sequences: number;
  /** One decode step, in milliseconds. */
  readonly stepMs: number;
  /** Of all sequences together. */
  readonly decodeTokensPerS: number;
  readonly boundBy: 'memory' | 'arithmetic';
  /** Share of a layer's experts that a step touches. */
  readonly expertsTouched: number;
}

/**
 * A token costs two operations per active parameter, and two per value of attention and token of its context. A decode step reads every weight
 * that one of its sequences needs, and every sequence's cache; sequences choose experts independently of each other.
 */
export function rooflineOf(wish: NodeWish, gpu: Gpu, model: Model, sequences: number): Roofline {
  const { gpus, contextTokens } = wish;
  const operationsPerS = (gpu.tflops[wish.weights] ?? 0) * 1e12 * gpus;
  const bytesPerS = gpu.bandwidthGbPerS * 1e9 * gpus;
  const ofWeights = 2 * model.parametersB.active * 1e9;
  const perHeadValue = 2 * model.layers * model.attention.heads;
  const { prefill, decode } = model.attention.valuesPerHead;

  const prefillOperations = ofWeights + (perHeadValue * prefill * contextTokens) / 2;
  const touched = expertsTouched(model, sequences);
  const copies = wish.parallelism === 'tp' ? gpus / Math.min(gpus, model.attention.kvHeads) : 1;
  const cacheBytes = sequences * contextTokens * kvValues(model) * BYTES[wish.kv] * copies;
  const memoryS = (readWeights(model, touched) * BYTES[wish.weights] + attentionCopies(wish, model) + cacheBytes) / bytesPerS;
  const arithmeticS = (sequences * (ofWeights + perHeadValue * decode * contextTokens)) / operationsPerS;
  const stepS = Math.max(memoryS, arithmeticS);
  return {
    prefillTokensPerS: operationsPerS / prefillOperations,
    sequences,
    stepMs: stepS * 1e3,
    decodeTokensPerS: sequences / stepS,
    boundBy: memoryS >= arithmeticS ? 'memory' : 'arithmetic',
    expertsTouched: touched,
  };
}

/** With `n` choices of k out of E, an expert is left out with probability (1 − k/E)ⁿ. */
function expertsTouched({ experts }: Model, sequences: number): number {
  return experts === undefined ? 1 : 1 - (1 - experts.perToken / experts.routed) ** sequences;
}

/** Parameters that a step reads, in all GPUs. */
function readWeights({ parametersB, experts }: Model, touched: number): number {
  if (experts === undefined) return parametersB.total * 1e9;
  const routed = experts.layers * experts.routed * experts.parametersEachM * 1e6;
  return parametersB.total * 1e9 - routed * (1 - touched);
}

/** Data-parallel attention reads its weights on each GPU. */
function attentionCopies({ parallelism, gpus, weights }: NodeWish, { attention }: Model): number {
  return parallelism === 'dp' ? (gpus - 1) * attention.parametersB * 1e9 * BYTES[weights] : 0;
}
