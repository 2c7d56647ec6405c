import Type, { type Static } from 'typebox';
import type { CamelCase } from './camel-case.ts';
import { choice, count, dictionary, flag, list, milliseconds, port, quantity, requiredSection, secret, section, text, url } from './fields.ts';

const MIB = 1024 * 1024;

const tls = Type.Optional(
  requiredSection('TLS of this listener; plain without it.', {
    cert_file: text('PEM file of the certificate and its chain.'),
    key_file: text('PEM file of the private key.'),
    client_ca_file: Type.Optional(text('PEM file of the authority whose certificates clients must show.')),
  }),
);

const host = text('Address to listen at.', { default: '127.0.0.1' });

const model = section('A model that clients may ask for.', {
  context_tokens: count('Prompt and answer together.', { default: 163_840 }),
  output_tokens_max: count('The longest answer a client may ask for.', { default: 32_768 }),
  served_as: Type.Optional(text("The engines' own name of the model, where it differs.")),
  bytes_per_token: quantity('First estimate of prompt bytes per token, before usage corrects it.', { default: 4, exclusiveMinimum: 0 }),
  free: flag('Whether it costs nothing; else the price book must have its price.', { default: false }),
});

const replica = requiredSection('An engine without a node daemon, reached by its URL.', {
  id: text('Name of the replica, unique in the fleet.'),
  url: url('Where the engine listens, without /v1.', ['http', 'https']),
  region: text('Where the engine stands.'),
  models: list('Names of the models it serves, as under models.', text('Name of a model.'), { minItems: 1 }),
  api_key: Type.Optional(secret('Bearer token that the engine wants.', 1)),
  engine: choice('Which load report and which extensions the engine knows.', ['openai', 'sglang', 'vllm'], 'openai'),
  continuation: choice(
    'How it can go on with an answer that broke off elsewhere: from its text, from its token ids, or not at all. Auto: SGLang as it says itself, vLLM from its text, other engines not at all.',
    ['auto', 'none', 'text', 'tokens'],
    'auto',
  ),
  max_running: count('Requests it decodes at once.', { default: 256 }),
  context_tokens: Type.Optional(count('Prompt and answer together; what the model allows without it.')),
  kv_tokens: Type.Optional(count('Size of its KV cache.')),
  prefill_tokens_per_s: count('Prompt tokens it prefills per second.', { default: 9_000 }),
  poll_ms: milliseconds('Time between two looks at its load.', 1_000),
  canary_tokens: count('Length of the answers that it is asked for now and then, to see whether they make sense; 0: never.', { default: 64, minimum: 0 }),
});

function overloadMarks(priority: string, delayMs: number, heapShare: number, inFlightShare: number) {
  return section(`Class ${priority}.`, {
    delay_ms: milliseconds('How late timers fire.', delayMs),
    heap_share: quantity('Share of the heap in use.', { default: heapShare, minimum: 0, maximum: 1 }),
    in_flight_share: quantity('Requests under way, as a share of limits.in_flight_max.', { default: inFlightShare, minimum: 0, maximum: 1 }),
  });
}

/** Everything a gateway is told, by section. */
export const gatewayProperties = {
  gateway: requiredSection('Who this gateway is.', {
    id: text('Name of this gateway, unique among all gateways.'),
    region: text('Where this gateway stands.'),
  }),
  listen: section('Where the gateway listens. Port 0 takes any free port.', {
    public: section('The OpenAI-compatible API.', { host, port: port('Port of the API.', 8080), tls }),
    admin: section('Administration, metrics and health; keep it private.', { host, port: port('Port of the administration.', 8081), tls }),
    fleet: Type.Optional(
      requiredSection('Where node daemons dial in; without it only the replicas listed here serve.', {
        host,
        port: port('Port for the nodes.', 8082),
        token: Type.Optional(secret('What every node must show to dial in; for a fleet without certificates.', 16)),
        join: Type.Optional(
          requiredSection('Nodes join once by a token of their own, and have certificates from then on.', {
            authority_dir: text('Folder that `meridian ca init` made. It must be kept as safe as the keys to everything.'),
            hosts: list('Host names and addresses by which nodes dial this gateway; the address of this listener without them.', text('A name or an address.'), { default: [] }),
            certificate_ms: milliseconds("Life of a node's certificate; it is renewed at half of it.", 86_400_000),
          }),
        ),
        peers: list(
          'Other gateways: every node that is linked here is told to dial them too.',
          requiredSection('A gateway.', { id: text('Its gateway.id.'), url: url('Its fleet listener.', ['ws', 'wss']) }),
          { default: [] },
        ),
        advertise_url: Type.Optional(url('What nodes are told to dial to reach this gateway, where gateways find each other through Redis; without it, the address it listens at.', ['ws', 'wss'])),
        tls,
      }),
    ),
  }),
  data_dir: text('Where the journal is kept, and without postgres keys and books, from the working directory.', { default: '.meridian' }),
  secrets_file: Type.Optional(text('The secrets that all gateways on one database share; without it secrets.json in data_dir, made at the first start.')),
  postgres: Type.Optional(
    requiredSection('The database that gateways share: keys, books, invoices, audit log. Without it, SQLite files in data_dir.', {
      url: secret('As postgres://user:password@host:5432/database; with ?sslmode=verify-full beyond a private network.', 12),
      connections_max: count('Connections of this gateway to it.', { default: 10, minimum: 2 }),
      statement_ms: milliseconds('The longest a statement of the gateway may take; reports get ten times as long.', 10_000),
      events_kept_months: count('Whole months of single events that are kept; sums, entries and invoices are kept for ever. 0: all.', { default: 0, minimum: 0 }),
    }),
  ),
  redis: Type.Optional(
    requiredSection('What gateways share from second to second: limits, sessions, who is there, news of changes.', {
      mode: choice('How Redis runs.', ['single', 'sentinel', 'cluster'], 'single'),
      urls: list('As redis://user:password@host:6379, or rediss://: the server, some of the Sentinels, or some nodes of the cluster.', secret('One of them.', 9), { minItems: 1 }),
      sentinel_name: Type.Optional(text('The name that the Sentinels know the master by.')),
      key_prefix: text('First part of all keys; its own for each fleet that shares a Redis.', { default: 'meridian' }),
      command_ms: milliseconds('How long an answer of Redis is waited for while a request waits.', 25),
    }),
  ),
  sharing: section('How gateways on one database get along.', {
    beat_ms: milliseconds('How often a gateway says that it is there, and looks for changes that it was not told of.', 1_000),
    member_lease_ms: milliseconds('Without a beat for so long, a gateway counts as gone.', 5_000),
    key_cache_ms: milliseconds('How long keys seen before are good while the database cannot be asked.', 60_000),
    allowance_ms: milliseconds('How long what a gateway set aside of a budget stays its own once nothing is heard of it, and how long it goes on with that by itself; longer than its longest request.', 720_000),
  }),
  admin_key: secret('Bearer token of the administration.', 20),
  prices_file: Type.Optional(text("The price book; without it DeepSeek's own prices.")),
  models: dictionary('The models by the names that clients use.', model, { minProperties: 1 }),
  aliases: dictionary(
    'Names for several versions of a model, of which each conversation gets one.',
    requiredSection('An alias.', {
      versions: list(
        'The versions, by weight.',
        requiredSection('One version.', { model: text('Name of a model, as under models.'), weight: quantity('Share among the weights of all versions.', { minimum: 0 }) }),
        { minItems: 1 },
      ),
    }),
    { default: {} },
  ),
  replicas: list('Engines without a node daemon.', replica, { default: [] }),
  dedicated: list(
    'Nodes and replicas set aside for one organization.',
    requiredSection('One organization\'s own.', {
      organization: text('The organization.'),
      nodes: list('Ids of nodes, and of replicas without a node.', text('An id.'), { minItems: 1 }),
      overflow: flag('Whether it may use everybody\'s replicas too.', { default: false }),
    }),
    { default: [] },
  ),
  limits: section('The most of everything.', {
    body_bytes_max: count('Body of a request.', { default: 4 * MIB }),
    header_bytes_max: count('Headers of a request.', { default: 16 * 1024 }),
    json_depth_max: count('Nesting of a JSON body.', { default: 64 }),
    in_flight_max: count('Requests at once.', { default: 10_000 }),
    in_flight_per_address_max: count('Requests at once from one address; 0: no bound, for gateways behind a proxy.', { default: 4_096, minimum: 0 }),
    connections_max: count('Connections to a listener.', { default: 20_000 }),
    connections_per_address_max: count('Connections from one address; 0: no bound, for gateways behind a proxy.', { default: 4_096, minimum: 0 }),
    answer_bytes_max: count('An answer that is not streamed.', { default: 16 * MIB }),
    stream_buffer_bytes_max: count('Bytes one stream may wait for a slow client.', { default: 256 * 1024 }),
  }),
  timeouts: section('How long to wait for what.', {
    connect_ms: milliseconds('Connecting to a replica.', 1_000),
    first_token_ms: milliseconds('First token of an attempt, at the least …', 10_000),
    first_token_factor: quantity('… and so many times what the slowest hundredth of prompts of its size needs, or what was predicted.', { default: 3, minimum: 1 }),
    stall_ms: milliseconds('Between two tokens.', 15_000),
    total_ms: milliseconds('A whole request.', 600_000),
    slow_reader_ms: milliseconds('A client that takes nothing.', 30_000),
    receive_ms: milliseconds('A request to arrive whole.', 30_000),
    keep_alive_comment_ms: milliseconds('Silence on a stream before an SSE comment keeps it open.', 10_000),
    early_head_ms: milliseconds('Waiting for the first token before the head of a stream is sent ahead.', 15_000),
  }),
  retries: section('Further attempts, before the client has got a byte.', {
    attempts_max: count('Attempts of one request, the first included.', { default: 3 }),
    jitter_min_ms: milliseconds('Shortest pause before another attempt.', 25),
    jitter_max_ms: milliseconds('Longest pause before another attempt.', 250),
    budget_share: quantity('Retries, as a share of the requests …', { default: 0.1, minimum: 0, maximum: 1 }),
    budget_window_ms: milliseconds('… within so long …', 60_000),
    budget_reserve: count('… and so many in any case.', { default: 10, minimum: 0 }),
  }),
  hedge: section('A second attempt on another node while the first one is late; who answers first goes on.', {
    share: quantity('At most this share of the requests; 0: none.', { default: 0.02, minimum: 0, maximum: 1 }),
    quantile: quantity('Late is a first token later than that of this share of prompts of its size.', { default: 0.95, minimum: 0, maximum: 1 }),
    busy_share_max: quantity('None while the replicas of the model run a larger share of what they can.', { default: 0.7, minimum: 0, maximum: 1 }),
  }),
  breaker: section('When a replica is left alone for what it did.', {
    failures_max: count('Failures in a row that open the breaker.', { default: 3 }),
    success_rate_min: quantity('A smaller share of successes opens it, too …', { default: 0.8, minimum: 0, maximum: 1 }),
    window_ms: milliseconds('… within so long …', 30_000),
    attempts_min: count('… once so many attempts ended there.', { default: 20 }),
    open_ms: milliseconds('First time open; doubles with each opening.', 5_000),
    open_ms_max: milliseconds('Longest time open.', 300_000),
    probes: count('Attempts let through when the time is over; each must bring a token before it closes.', { default: 3 }),
    probe_ms: milliseconds('A probe that brings nothing for so long makes way for another one.', 10_000),
  }),
  health: section('Who may be tried.', {
    ejected_share_max: quantity('At most this share of the replicas of a model in one region, and at least one, is left alone at once.', { default: 0.3, minimum: 0, maximum: 1 }),
    panic_share: quantity('With a smaller share of all replicas of a model healthy, all that are ready are tried.', { default: 0.5, minimum: 0, maximum: 1 }),
    slow_start_ms: milliseconds('A replica that comes back is given more and more over so long; 0: all at once.', 60_000),
    slow_start_from: quantity('The share of its speed that is counted on at first.', { default: 0.1, exclusiveMinimum: 0, maximum: 1 }),
    silent_ms: milliseconds('A replica that is answering, and brings no token on any stream for longer than this and the prefills that wait there, gets nothing new.', 2_000),
  }),
  balancer: section('How replicas are ranked: what is taken for unknown, and what counts how much.', {
    prefill_tokens_per_s: count('Of a replica whose rate is not learned yet.', { default: 9_000 }),
    rtt_ms: milliseconds('For a replica whose distance is not measured yet.', 100),
    queued_tokens: count('For the queue of a replica without a fresh load report.', { default: 18_000, minimum: 0 }),
    load_stale_ms: milliseconds('Age at which a load report tells nothing any more.', 5_000),
    tie_ms: quantity('Costs this close to the least count as equal.', { default: 2, minimum: 0 }),
    sticky_share: quantity('A session stays with its replica up to this share above the least cost …', { default: 0.05, minimum: 0 }),
    sticky_ms: quantity('… or up to this much above it.', { default: 30, minimum: 0 }),
    explore_share: quantity('Share of requests that try a seldom used replica of nearly the least cost.', { default: 0.01, minimum: 0, maximum: 1 }),
    kv_barrier_ms: quantity('Cost of half of a KV cache being in use; grows without bound towards all of it.', { default: 20, minimum: 0 }),
    decode_weight: quantity('How much a slower answer counts beside a later first token.', { default: 0.05, minimum: 0 }),
    tpot_target_ms: quantity('Time per output token that is good enough.', { default: 50, minimum: 0 }),
    retry_cost_ms: quantity('What a failed attempt counts as: an answer so slow.', { default: 5_000, minimum: 0 }),
    others_weight: quantity('How much the time counts that others wait for a prefill, once the fleet is busy.', { default: 1, minimum: 0 }),
    region_price_ms: dictionary('What a region costs beyond time.', quantity('Milliseconds.', { minimum: 0 }), { default: {} }),
    explain_max: count('Requests whose route can be explained afterwards.', { default: 10_000 }),
    away_ms: quantity('What leaving the region of the gateway costs beyond time.', { default: 500, minimum: 0 }),
    candidates_max: count('Candidates that are remembered with their costs.', { default: 8 }),
    prefix_blocks_max: count('Different prompt blocks in the prefix index.', { default: 4_000_000 }),
    sessions_max: count('Sessions whose replica is remembered.', { default: 100_000 }),
  }),
  admission: section('Who waits, where and for how long.', {
    ttft_objective_ms: milliseconds('A request waits at the edge while every replica would keep it waiting longer.', 2_000),
    over_share_wait_ms: milliseconds('The same for an organisation that has much waiting, or was served far more than its share lately.', 250),
    waiting_max: count('Requests that may wait at the edge, for each model.', { default: 4_096 }),
    tries_max: count('Waiting requests that are offered a place in vain in one go.', { default: 16 }),
    deadline_ms: section('How long a request may wait at the edge before it is answered with 429.', {
      critical: milliseconds('Class critical.', 30_000),
      standard: milliseconds('Class standard.', 30_000),
      batch: milliseconds('Class batch.', 300_000),
    }),
  }),
  overload: section('When the gateway itself has too much to do: which class is refused from what on.', {
    critical: overloadMarks('critical', 2_000, 0.95, 1),
    standard: overloadMarks('standard', 500, 0.9, 0.95),
    batch: overloadMarks('batch', 200, 0.8, 0.8),
    calm_ms: milliseconds('How long it must be better before a class is let in again.', 1_000),
  }),
  link: section('The links to the nodes.', {
    ping_ms: milliseconds('Between two pings.', 500),
    dead_ms: milliseconds('Silence after which a link is given up.', 2_000),
    message_bytes_max: count('One message; pieces of answers are cut at 8 MiB.', { default: 16 * MIB, minimum: 9 * MIB }),
    held_bytes_max: count('Bytes a node may leave unread before its link is given up.', { default: 64 * MIB }),
  }),
  drain: section('Going down without cutting a stream.', {
    readiness_ms: milliseconds('Between saying not ready and taking no more requests.', 5_000),
    streams_ms: milliseconds('What open streams get to finish.', 600_000),
  }),
  journal: section('The usage journal.', {
    group_commit_ms: milliseconds('Gathering the records of answers in one piece for one write to disk.', 2),
    stream_group_commit_ms: milliseconds('The same for streams, whose text is out by then.', 20),
    checkpoint_ms: milliseconds('Between two checkpoints.', 1_000),
  }),
  billing: section('What stands on invoices.', {
    seller: Type.Optional(
      requiredSection('Who sells.', {
        name: text('Name of the company.'),
        address: list('Lines of its address.', text('A line.'), { default: [] }),
        country: Type.String({ description: 'Two letters, ISO 3166-1.', pattern: '^[A-Z]{2}$', 'x-expected': 'two letters, as DE' }),
        tax_ids: list('Its tax ids.', requiredSection('One.', { type: text('As eu_vat.'), value: text('The id.') }), { default: [] }),
        email: Type.Optional(text('Where questions go.')),
      }),
    ),
    footer: Type.String({ description: 'At the foot of each invoice: how to pay.', default: '' }),
    invoice_prefix: text('First part of the numbers of invoices.', { default: 'INV' }),
    credit_note_prefix: text('First part of the numbers of credit notes.', { default: 'CN' }),
    due_days: count('Days until a finalized invoice is due.', { default: 30, minimum: 0 }),
  }),
  idempotency: section('Answers to requests with an Idempotency-Key, kept to be given again.', {
    ttl_ms: milliseconds('How long a key is known.', 24 * 60 * 60_000),
    bytes_max: count('All answers together; beyond it the oldest are dropped.', { default: 1024 * MIB }),
    answer_bytes_max: count('A larger answer is not kept.', { default: 4 * MIB }),
  }),
  webhooks: section('Where events of invoices and budgets may be sent.', {
    allow_private: flag('To private networks too.', { default: false }),
    allow_loopback: flag('To this machine too, and there by http; for development.', { default: false }),
  }),
  telemetry: section('What the gateway tells about itself.', {
    service_name: text('Name in metrics and traces.', { default: 'meridian-gateway' }),
    otlp_endpoint: Type.Optional(url('Where traces go by OTLP over HTTP; none without it.', ['http', 'https'])),
    log_level: choice('The least that is logged.', ['debug', 'info', 'warn', 'error'], 'info'),
    log_requests: choice('Which requests get a line in the log; prompts never do.', ['errors', 'all', 'none'], 'errors'),
  }),
  routing_headers: section('What answers tell about their way.', {
    expose_replica: flag('Name the replica in x-meridian-replica.', { default: true }),
  }),
};

export const GatewaySchema = Type.Object(gatewayProperties, {
  title: 'Meridian gateway',
  description: 'Configuration of a gateway.',
  additionalProperties: false,
});

/** The configuration as YAML spells it, complete with defaults. */
export type GatewaySettings = Static<typeof GatewaySchema>;

/** The configuration as code reads it. */
export type GatewayConfig = CamelCase<GatewaySettings>;
