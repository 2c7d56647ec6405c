import type { Gpu, Model, NodeWish, NumberFormat } from './node-plan.ts';

/** Bytes of one value. */
export const BYTES: Readonly<Record<NumberFormat, number>> = { bf16: 2, fp8: 1 };

/**
 * Share of a GPU's memory for weights and KV cache; the rest is for activations, CUDA graphs and the workspaces of
 * collectives. SGLang's `--mem-fraction-static` is about this on large GPUs (server_args.py: it is taken from the sizes of chunked prefill and graphs).
 */
const STATIC_SHARE = 0.85;

/** How the memory of each GPU is used. Bytes are of one GPU. */
export interface MemoryPlan {
  readonly totalBytes: number;
  readonly weightBytes: number;
  /** Activations, graphs, workspaces. */
  readonly reservedBytes: number;
  /** 0 when the weights leave nothing. */
  readonly kvBytes: number;
  /** By how much the weights are too large for the static share; 0 when they fit. */
  readonly missingBytes: number;
  /** What one token of one sequence takes, on each GPU that has it. */
  readonly kvBytesPerToken: number;
  /** Tokens that all GPUs together hold. */
  readonly kvTokens: number;
  /** Sequences of the wanted context that fit at once. */
  readonly sequences: number;
}

/**
 * Weights are divided evenly. Under data-parallel attention each GPU has all of the attention, and the cache of its own
 * sequences; under tensor parallelism every sequence is on every GPU, its cache divided by KV heads as far as these go, and copied beyond.
 */
export function memoryOf(wish: NodeWish, gpu: Gpu, model: Model): MemoryPlan {
  const { gpus, parallelism, contextTokens } = wish;
  const totalBytes = gpu.memoryGb * 1e9;
  const weights = (model.weightsGb[wish.weights] ?? 0) * 1e9;
  const copied = parallelism === 'dp' ? model.attention.parametersB * 1e9 * BYTES[wish.weights] : 0;
  const weightBytes = (weights - copied) / gpus + copied;
  const staticBytes = STATIC_SHARE * totalBytes;
  const kvBytes = Math.max(0, staticBytes - weightBytes);
  const kvBytesPerToken = (kvValues(model) * BYTES[wish.kv]) / (parallelism === 'tp' ? Math.min(gpus, model.attention.kvHeads) : 1);
  const perGpu = Math.floor(kvBytes / kvBytesPerToken);
  const perGpuSequences = Math.floor(perGpu / contextTokens);
  return {
    totalBytes,
    weightBytes,
    reservedBytes: totalBytes - staticBytes,
    kvBytes,
    missingBytes: Math.max(0, weightBytes - staticBytes),
    kvBytesPerToken,
    kvTokens: parallelism === 'dp' ? perGpu * gpus : perGpu,
    sequences: parallelism === 'dp' ? perGpuSequences * gpus : perGpuSequences,
  };
}

/** Values kept of one token, in all layers. */
export function kvValues({ layers, attention }: Model): number {
  return layers * attention.kvValues;
}
