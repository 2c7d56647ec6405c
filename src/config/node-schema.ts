import Type, { type Static } from 'typebox';
import type { CamelCase } from './camel-case.ts';
import { choice, count, dictionary, list, milliseconds, port, requiredSection, secret, section, text, url } from './fields.ts';

const MIB = 1024 * 1024;

const engine = section('The engine that this daemon fronts.', {
  kind: choice('Which load report and which extensions the engine knows.', ['sglang', 'vllm', 'trtllm', 'openai'], 'sglang'),
  continuation: choice(
    'How it can go on with an answer that broke off elsewhere: from its text, from its token ids, or not at all. Auto: SGLang as it says itself, vLLM from its text, other engines not at all.',
    ['auto', 'none', 'text', 'tokens'],
    'auto',
  ),
  url: url('Where the engine listens: keep it on the loopback.', ['http', 'https'], { default: 'http://127.0.0.1:30000' }),
  command: Type.Optional(list('Program and arguments that start the engine; without it, something else runs it.', text('One word.'), { minItems: 1 })),
  cwd: Type.Optional(text('Working directory of the engine.')),
  env: dictionary('Environment of the engine beyond that of the daemon.', Type.String(), { default: {} }),
  api_key: Type.Optional(secret('Bearer token that the engine wants.', 1)),
  start_timeout_ms: milliseconds('From start to ready; the first start compiles kernels for minutes.', 900_000),
  restart: section('Starting the engine again after it ended.', {
    backoff_min_ms: milliseconds('First pause; doubles each time.', 1_000),
    backoff_max_ms: milliseconds('Longest pause.', 60_000),
  }),
});

export const NodeSchema = Type.Object(
  {
    node: requiredSection('Who this node is.', {
      id: text('Name of this node, unique in the fleet.'),
      region: text('Where this node stands.'),
    }),
    gateways: list('Fleet listeners to dial.', url('A gateway.', ['ws', 'wss']), { minItems: 1 }),
    token: Type.Optional(secret('What the gateways ask of every node; for a fleet without certificates.', 16)),
    join: Type.Optional(
      requiredSection('How this node becomes a member of the fleet, once; from then on it has a certificate, which it renews.', {
        token: Type.Optional(secret('What `meridian nodes token` printed; not needed any more once the node has joined.', 40)),
        identity_file: text('Where its key and certificate are kept, readable for its user alone.', { default: '.meridian-node/identity.json' }),
      }),
    ),
    tls: Type.Optional(
      requiredSection('For wss:// gateways: whom to trust and what to show.', {
        ca_file: Type.Optional(text('PEM file of the authority of the gateways.')),
        cert_file: Type.Optional(text('PEM file of the certificate of this node.')),
        key_file: Type.Optional(text('PEM file of its private key.')),
      }),
    ),
    engine,
    models: list('Names of the models it serves, as clients use them.', text('Name of a model.'), { minItems: 1 }),
    weight_dtype: text('Number format of the weights.', { default: 'fp8' }),
    context_tokens: count('Prompt and answer together.', { default: 163_840 }),
    kv_tokens: Type.Optional(count('Size of the KV cache; what the engine says without it.')),
    max_running: Type.Optional(count('Requests decoded at once; what the engine says without it.')),
    listen: section('Health, metrics and drain of this node. Port 0 takes any free port.', {
      host: text('Address to listen at.', { default: '127.0.0.1' }),
      port: port('Port of the local HTTP.', 8090),
    }),
    link: section('The links to the gateways.', {
      load_ms_min: milliseconds('Least time between two load reports.', 50),
      load_ms_max: milliseconds('Most time between two load reports.', 500),
      prefix_ms: milliseconds('Between two tellings of what changed in the cache.', 100),
      ping_ms: milliseconds('Between two pings.', 500),
      dead_ms: milliseconds('Silence after which a link is given up.', 2_000),
      batch_window_ms: milliseconds('Gathering what one engine step made into one message.', 1),
      reconnect_min_ms: milliseconds('First pause before dialling again; doubles each time.', 250),
      reconnect_max_ms: milliseconds('Longest pause.', 10_000),
      message_bytes_max: count('One message; pieces of answers are cut at 8 MiB.', { default: 16 * MIB, minimum: 9 * MIB }),
      held_bytes_max: count('Bytes a gateway may leave unread before its link is given up.', { default: 64 * MIB }),
    }),
    canary: section('Questions of our own to the engine, to see whether its answers make sense.', {
      tokens: count('Tokens one asks for; 0: there are none.', { default: 64, minimum: 0 }),
      prompt_tokens: count('Length of the prompt of the first one after a start, about; at most half of the context.', { default: 2_048 }),
      every_ms: milliseconds('Between two while all is well. A first one passes before the node is ready.', 60_000),
      again_ms: milliseconds('After one that failed, or that a busy engine did not answer.', 2_000),
      timeout_ms: milliseconds('What one may take.', 60_000),
    }),
    drain_ms: milliseconds('What open streams get to finish.', 600_000),
  },
  { title: 'Meridian node', description: 'Configuration of a node daemon.', additionalProperties: false },
);

/** The configuration as YAML spells it, complete with defaults. */
export type NodeSettings = Static<typeof NodeSchema>;

/** The configuration as code reads it. */
export type NodeConfig = CamelCase<NodeSettings>;
