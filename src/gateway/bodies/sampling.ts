import { Type, type TSchema } from 'typebox';

const Token = Type.Integer({ minimum: 1 });

/** May be absent or null, as OpenAI's SDKs send either. */
export function optional<T extends TSchema>(schema: T) {
  return Type.Optional(Type.Union([schema, Type.Null()]));
}

/** Parameters that chat and text completions share; ranges are OpenAI's. */
export const SHARED = {
  model: Type.String({ minLength: 1, description: 'Name of the model, as listed by /v1/models.' }),
  stream: optional(Type.Boolean()),
  stream_options: optional(
    Type.Object({ include_usage: optional(Type.Boolean()), include_obfuscation: optional(Type.Boolean()) }),
  ),
  max_tokens: optional(Token),
  temperature: optional(Type.Number({ minimum: 0, maximum: 2 })),
  top_p: optional(Type.Number({ minimum: 0, maximum: 1 })),
  n: optional(Type.Integer({ minimum: 1, maximum: 128 })),
  stop: optional(Type.Union([Type.String(), Type.Array(Type.String())])),
  seed: optional(Type.Integer()),
  presence_penalty: optional(Type.Number({ minimum: -2, maximum: 2 })),
  frequency_penalty: optional(Type.Number({ minimum: -2, maximum: 2 })),
  logit_bias: optional(Type.Record(Type.String(), Type.Number({ minimum: -100, maximum: 100 }))),
  user: optional(Type.String()),
};

/** Sampling parameters of the engines beyond OpenAI's; passed on as they are, and checked by the engine. */
export const ENGINE_SAMPLING: ReadonlySet<string> = new Set([
  'add_generation_prompt',
  'allowed_token_ids',
  'bad_words',
  'chat_template_kwargs',
  'continue_final_message',
  'ebnf',
  'guided_choice',
  'guided_decoding_backend',
  'guided_grammar',
  'guided_json',
  'guided_regex',
  'ignore_eos',
  'include_stop_str_in_output',
  'length_penalty',
  'min_p',
  'min_tokens',
  'no_stop_trim',
  'prompt_logprobs',
  'regex',
  'repetition_penalty',
  'separate_reasoning',
  'skip_special_tokens',
  'spaces_between_special_tokens',
  'stop_regex',
  'stop_token_ids',
  'stream_reasoning',
  'structured_outputs',
  'top_k',
  'truncate_prompt_tokens',
]);

/** Parameters that steer the engine itself: the gateway sets them, a client never does. */
export const ENGINE_CONTROL: ReadonlySet<string> = new Set([
  'bootstrap_host',
  'bootstrap_port',
  'bootstrap_room',
  'cache_salt',
  'custom_logit_processor',
  'custom_params',
  'data_parallel_rank',
  'data_parallel_rank_decode',
  'disagg_prefill_dp_rank',
  'dp_rank',
  'extra_key',
  'input_embeds',
  'input_ids',
  'kv_transfer_params',
  'lora_path',
  'priority',
  'request_id',
  'return_bytes_as_token_ids',
  'return_hidden_states',
  'return_prompt_token_ids',
  'return_routed_experts',
  'return_token_ids',
  'rid',
  'routed_dp_rank',
  'session_params',
]);

/** True for a parameter only the gateway may set: those named above, and whole families of them. */
export function isEngineControl(name: string): boolean {
  return ENGINE_CONTROL.has(name) || name.startsWith('bootstrap_') || name.endsWith('dp_rank');
}
