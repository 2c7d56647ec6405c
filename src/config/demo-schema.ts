import Type, { type Static } from 'typebox';
import type { CamelCase } from './camel-case.ts';
import { count, flag, list, quantity, requiredSection, section, text } from './fields.ts';
import { gatewayProperties } from './gateway-schema.ts';

const region = requiredSection('A region of simulated nodes.', {
  name: text('Name of the region.'),
  nodes: count('How many nodes stand there.'),
  one_way_ms: quantity('Network time from the gateway, one way.', { minimum: 0 }),
  jitter_ms: quantity('How much that time varies.', { default: 0, minimum: 0 }),
});

const decodePoint = requiredSection('One point of the decode curve.', {
  batch: count('Requests decoded together.'),
  step_ms: quantity('Time of one step.', { exclusiveMinimum: 0 }),
});

/** What is left out stays as the engine model has it: DeepSeek-V3 on one 8×H200 node. */
const engine = section('Figures of the simulated engines.', {
  prefill_tokens_per_second: Type.Optional(count('Uncached prompt tokens prefilled per second.')),
  chunk_tokens: Type.Optional(count('Prompt tokens that one step prefills at most.')),
  decode_step: Type.Optional(list('Decode step time by batch, ascending.', decodePoint, { minItems: 1 })),
  kv_tokens: Type.Optional(count('Size of the KV cache.')),
  page_tokens: Type.Optional(count('Tokens of one page of it.')),
  max_running_requests: Type.Optional(count('Requests decoded at once.')),
  max_queued_requests: Type.Optional(count('Requests that may wait.', { minimum: 0 })),
  context_tokens: Type.Optional(count('Prompt and answer together.')),
  priority_scheduling: Type.Optional(flag('Whether waiting requests are ordered by priority.')),
});

export const DemoSchema = Type.Object(
  {
    ...gatewayProperties,
    demo: requiredSection('The simulated fleet.', {
      regions: list('Where the nodes stand.', region, { minItems: 1 }),
      engine,
      time_scale: quantity('How many times faster than real engines the simulated ones run.', { default: 1, exclusiveMinimum: 0 }),
    }),
  },
  { title: 'Meridian demo', description: 'Configuration of a gateway with a simulated fleet.', additionalProperties: false },
);

/** The configuration as YAML spells it, complete with defaults. */
export type DemoSettings = Static<typeof DemoSchema>;

/** The configuration as code reads it: a gateway's, and the fleet's under `demo`. */
export type DemoConfig = CamelCase<DemoSettings>;
