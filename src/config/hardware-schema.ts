import Type, { type Static } from 'typebox';
import type { CamelCase } from './camel-case.ts';
import { count, dictionary, quantity, requiredSection, text } from './fields.ts';

function positive(description: string) {
  return quantity(description, { exclusiveMinimum: 0 });
}

const byFormat = (what: string) =>
  requiredSection(what, { bf16: Type.Optional(positive('In BF16.')), fp8: Type.Optional(positive('In FP8.')) });

const gpu = requiredSection('A GPU.', {
  name: text('Its full name.'),
  memory_gb: positive('Memory, in 10⁹ bytes.'),
  bandwidth_gb_per_s: positive('Memory bandwidth, in 10⁹ bytes per second.'),
  tflops: byFormat('Dense 10¹² operations per second, by number format; without one it has none of that.'),
  source: text('Where these figures are from.'),
});

const attention = requiredSection('Its attention.', {
  heads: count('Query heads.'),
  kv_values: count('Values that are kept per token and layer.'),
  kv_heads: count('Parts into which tensor parallelism can divide what is kept; beyond them each GPU keeps a copy.'),
  values_per_head: requiredSection('Values that are multiplied with each token of the context, per query head.', { decode: count('In decoding.'), prefill: count('In prefill.') }),
  parameters_b: positive('Parameters of all layers together, in 10⁹; data-parallel attention copies them to each GPU.'),
});

const model = requiredSection('A model.', {
  repository: text('Where its weights are published.'),
  weights_gb: byFormat('Size of the weights by number format, in 10⁹ bytes; without one there are none.'),
  parameters_b: requiredSection('Parameters, in 10⁹.', { total: positive('All.'), active: positive('That work on one token.') }),
  context_tokens: count('Prompt and answer together.'),
  layers: count('Transformer layers.'),
  attention,
  experts: Type.Optional(
    requiredSection('A mixture of experts.', {
      layers: count('Layers that have experts.'),
      routed: count('Experts that are chosen from, in each.'),
      per_token: count('Of them, that work on one token.'),
      parameters_each_m: positive('Parameters of one, in 10⁶.'),
    }),
  ),
  mtp_tokens: Type.Optional(count('Tokens that its own module predicts beyond the next one.')),
  source: text('Where these figures are from.'),
});

export const HardwareSchema = Type.Object(
  { gpus: dictionary('GPUs by name.', gpu, { minProperties: 1 }), models: dictionary('Models by name.', model, { minProperties: 1 }) },
  { title: 'Meridian hardware', description: 'GPUs and models that nodes are planned with.', additionalProperties: false },
);

/** The catalogue as code reads it. Names of formats and of entries are as the file has them. */
export type HardwareConfig = CamelCase<Static<typeof HardwareSchema>>;
