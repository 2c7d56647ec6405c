import type { HardwareConfig } from '../config/index.ts';
import { MeridianError, nearestName } from '../core/index.ts';
import { memoryOf, type MemoryPlan } from './memory.ts';
import { rooflineOf, type Roofline } from './roofline.ts';

export type Gpu = HardwareConfig['gpus'][string];
export type Model = HardwareConfig['models'][string];
export type NumberFormat = 'bf16' | 'fp8';
/** Over the GPUs of a node: attention and experts divided (`tp`), or attention copied, so that each GPU has sequences of its own (`dp`). */
export type Parallelism = 'tp' | 'dp';

/** A node that is thought of. */
export interface NodeWish {
  readonly model: string;
  readonly gpu: string;
  readonly gpus: number;
  readonly weights: NumberFormat;
  readonly kv: NumberFormat;
  readonly parallelism: Parallelism;
  /** Tokens of a sequence. */
  readonly contextTokens: number;
  /** Sequences at once. */
  readonly concurrency: number;
}

export interface NodePlan {
  readonly wish: NodeWish;
  readonly gpu: Gpu;
  readonly model: Model;
  readonly memory: MemoryPlan;
  /** Null when not one sequence fits. */
  readonly roofline: Roofline | null;
}

/** What a node comes to. Throws `invalid_value` for what the catalogue does not have, and for what no node can be. */
export function planNode(wish: NodeWish, { gpus, models }: HardwareConfig): NodePlan {
  const gpu = entryOf(gpus, wish.gpu, 'gpu');
  const model = entryOf(models, wish.model, 'model');
  if (wish.contextTokens > model.contextTokens) throw wrong('context', `${wish.contextTokens} tokens are more than ${wish.model} takes: ${model.contextTokens}`);
  if (model.weightsGb[wish.weights] === undefined) throw wrong('weights', `there are none of ${wish.model} in ${wish.weights}; there are in ${Object.keys(model.weightsGb).join(', ')}`);
  if (gpu.tflops[wish.weights] === undefined) throw wrong('weights', `${gpu.name} does not compute in ${wish.weights}; it does in ${Object.keys(gpu.tflops).join(', ')}`);
  const memory = memoryOf(wish, gpu, model);
  const sequences = Math.min(wish.concurrency, memory.sequences);
  return { wish, gpu, model, memory, roofline: sequences === 0 ? null : rooflineOf(wish, gpu, model, sequences) };
}

function entryOf<Entry>(entries: Readonly<Record<string, Entry>>, name: string, param: string): Entry {
  const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
  if (entry !== undefined) return entry;
  const nearest = nearestName(name, Object.keys(entries));
  throw wrong(param, `'${name}' is not in the catalogue, which has ${Object.keys(entries).join(', ')}${nearest === null ? '' : `; did you mean ${nearest}?`}`);
}

function wrong(param: string, what: string): MeridianError {
  return new MeridianError('invalid_value', { param, message: `Invalid value for '${param}': ${what.replace(/([^?])$/, '$1.')}` });
}
