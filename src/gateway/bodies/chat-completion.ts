import { Type } from 'typebox';
import { optional, SHARED } from './sampling.ts';

const Part = Type.Object({ type: Type.String() });

const Message = Type.Object({
  role: Type.Union(
    ['system', 'developer', 'user', 'assistant', 'tool', 'function'].map((role) => Type.Literal(role)),
    { description: 'Who speaks.' },
  ),
  content: optional(Type.Union([Type.String(), Type.Array(Part)])),
  name: optional(Type.String()),
  tool_call_id: optional(Type.String()),
  tool_calls: optional(Type.Array(Type.Object({}))),
  reasoning_content: optional(Type.String()),
  refusal: optional(Type.String()),
});

const Tool = Type.Object({
  type: Type.String(),
  function: Type.Optional(
    Type.Object({ name: Type.String(), description: optional(Type.String()), parameters: optional(Type.Object({})) }),
  ),
});

/** Body of `POST /v1/chat/completions`. */
export const ChatCompletionBody = Type.Object(
  {
    ...SHARED,
    messages: Type.Array(Message, { minItems: 1 }),
    max_completion_tokens: optional(Type.Integer({ minimum: 1 })),
    tools: optional(Type.Array(Tool)),
    tool_choice: optional(Type.Union([Type.String(), Type.Object({})])),
    parallel_tool_calls: optional(Type.Boolean()),
    functions: optional(Type.Array(Type.Object({}))),
    function_call: optional(Type.Union([Type.String(), Type.Object({})])),
    response_format: optional(Type.Object({ type: Type.String() })),
    logprobs: optional(Type.Boolean()),
    top_logprobs: optional(Type.Integer({ minimum: 0, maximum: 20 })),
    reasoning_effort: optional(Type.String()),
    thinking: optional(Type.Object({})),
    verbosity: optional(Type.String()),
    metadata: optional(Type.Object({})),
    modalities: optional(Type.Array(Type.String())),
    prediction: optional(Type.Object({})),
    prompt_cache_key: optional(Type.String()),
    safety_identifier: optional(Type.String()),
    service_tier: optional(Type.String()),
    store: optional(Type.Boolean()),
  },
  { $id: 'ChatCompletionBody', description: 'Further sampling parameters of the engines are passed on as they are.' },
);
