import type OpenAI from 'openai';
import { until } from '../support/until.ts';
import { FAR, MODEL, NEAR, type RealFleet } from './real-fleet.ts';

/** What a real engine must do behind Meridian; resolves with what was seen, rejects with what was wrong. */
export interface EngineCheck {
  readonly name: string;
  run(fleet: RealFleet): Promise<string>;
}

/** Ids of the tokens a to z of the tiny model's bytes, so that the text of an answer has all of it: five marks, and the printable bytes from 33 on. */
const LETTERS = Array.from({ length: 26 }, (_, i) => 5 + ('a'.codePointAt(0) ?? 0) - 33 + i);
const LONG = 'The quick brown fox jumps over the lazy dog. '.repeat(20);

interface ReplicaObject {
  readonly id: string;
  readonly state: string;
  readonly running: number | null;
  readonly kv_tokens: number | null;
  readonly decode_tokens_per_s: number | null;
}

interface RequestObject {
  readonly outcome: string;
  readonly usage: { readonly completion_tokens: number; readonly prompt_tokens: number };
  readonly source: string;
  readonly estimated: boolean;
  readonly attempts: readonly { readonly replica: string; readonly outcome: string; readonly resumed_tokens: number }[];
}

function asked(content: string, more: object = {}): OpenAI.ChatCompletionCreateParamsNonStreaming {
  return { model: MODEL, messages: [{ role: 'user', content }], max_tokens: 20, temperature: 0, ...more };
}

/** Engine-only parameters pass the gateway as they are. */
const ENDLESS = { ignore_eos: true, min_tokens: 1_500, max_tokens: 1_500, allowed_token_ids: LETTERS };

export const ENGINE_CHECKS: readonly EngineCheck[] = [
  {
    name: 'both engines start, load their weights and are ready',
    async run(fleet) {
      const started = performance.now();
      await patiently(async () => (await replicas(fleet)).filter(({ state }) => state === 'ready').length === 2, 'both are ready');
      const { version } = fleet.daemon(NEAR).status().engine;
      return `vLLM ${version}, after ${Math.round((performance.now() - started) / 1_000)} s`;
    },
  },
  {
    name: 'a chat answers, and its usage adds up',
    async run(fleet) {
      const { usage, choices } = await (await fleet.clientOf('org_chat')).chat.completions.create(asked('Hello there'));
      expect(usage?.completion_tokens === 20 || choices[0]?.finish_reason === 'stop', `usage ${JSON.stringify(usage)}`);
      expect(usage?.total_tokens === (usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0), 'the total is not the sum');
      return JSON.stringify(usage);
    },
  },
  {
    name: 'a stream says the same as the answer in one piece, and ends with its usage',
    async run(fleet) {
      const client = await fleet.clientOf('org_stream');
      const body = asked('Tell me of the sea', { allowed_token_ids: LETTERS, ignore_eos: true });
      const whole = await client.chat.completions.create(body);
      const chunks = await Array.fromAsync(await client.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } }));
      const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
      expect(text === whole.choices[0]?.message.content, `"${text}" is not "${whole.choices[0]?.message.content}"`);
      expect(chunks.at(-1)?.usage?.completion_tokens === 20, `the last chunk has usage ${JSON.stringify(chunks.at(-1)?.usage)}`);
      return `${chunks.length} chunks`;
    },
  },
  {
    name: 'cached tokens rise on a repeated prefix, and another organization has none of them',
    async run(fleet) {
      const cached = async (client: OpenAI): Promise<number> => (await client.chat.completions.create(asked(LONG, { max_tokens: 1 }))).usage?.prompt_tokens_details?.cached_tokens ?? 0;
      const [own, other] = [await fleet.clientOf('org_own'), await fleet.clientOf('org_other')];
      const seen = [await cached(own), await cached(own), await cached(other), await cached(other)];
      expect(seen[0] === 0 && (seen[1] ?? 0) > 0, `the first organization saw ${seen[0]} and then ${seen[1]} cached tokens`);
      expect(seen[2] === 0 && (seen[3] ?? 0) > 0, `the second organization saw ${seen[2]} and then ${seen[3]} cached tokens`);
      return `own ${seen[0]} → ${seen[1]}, another's ${seen[2]} → ${seen[3]}`;
    },
  },
  {
    name: 'load and KV capacity reach the gateway while the engine works',
    async run(fleet) {
      const stream = await (await fleet.clientOf('org_load')).chat.completions.create({ ...asked('Count', ENDLESS), stream: true });
      await patiently(async () => ((await near(fleet))?.running ?? 0) > 0, 'the engine is seen to work');
      await patiently(async () => ((await near(fleet))?.decode_tokens_per_s ?? 0) > 0, 'its speed is seen');
      const seen = await near(fleet);
      stream.controller.abort();
      expect((seen?.kv_tokens ?? 0) > 1_000, `its KV cache has ${seen?.kv_tokens} tokens`);
      return `${seen?.running} running, ${Math.round(seen?.decode_tokens_per_s ?? 0)} tokens/s, KV cache of ${seen?.kv_tokens} tokens`;
    },
  },
  {
    name: 'a client that leaves stops the engine, and pays for what was made',
    async run(fleet) {
      await patiently(async () => (await counted(fleet, 'vllm:num_requests_running')) === 0, 'the engine is idle');
      const before = await counted(fleet, 'vllm:generation_tokens_total');
      const { data: stream, response } = await (await fleet.clientOf('org_abort')).chat.completions.create({ ...asked('Go on for ever', ENDLESS), stream: true }).withResponse();
      let chunks = 0;
      for await (const _ of stream) if ((chunks += 1) === 20) break;
      await patiently(async () => (await counted(fleet, 'vllm:num_requests_running')) === 0, 'the engine has stopped');
      const made = (await counted(fleet, 'vllm:generation_tokens_total')) - before;
      const record = await recordOf(fleet, response.headers.get('x-request-id'));
      expect(record.outcome === 'aborted', `its outcome is ${record.outcome}`);
      expect(made < 1_500 && record.usage.completion_tokens <= made, `${record.usage.completion_tokens} charged of ${made} made`);
      return `${record.usage.completion_tokens} tokens charged (by ${record.source}) of ${made} that the engine made`;
    },
  },
  {
    name: 'an answer whose engine is killed goes on at the other one, from its text',
    async run(fleet) {
      const client = await fleet.clientOf('org_kill');
      const body = asked('Tell me of hills', { ...ENDLESS, min_tokens: 400, max_tokens: 400 });
      const { data: stream, response } = await client.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } }).withResponse();
      let text = '';
      let tokens: number | undefined;
      let isKilled = false;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? '';
        tokens = chunk.usage?.completion_tokens ?? tokens;
        if (isKilled || text.length < 60) continue;
        isKilled = true;
        process.kill(-Number(fleet.daemon(NEAR).status().engine.pid), 'SIGKILL');
      }
      const { attempts, outcome, usage } = await recordOf(fleet, response.headers.get('x-request-id'));
      expect(outcome === 'completed' && attempts.map(({ replica }) => replica).join() === `${NEAR},${FAR}`, `attempts ${JSON.stringify(attempts)}, ${outcome}`);
      expect((attempts[1]?.resumed_tokens ?? 0) > 0, 'nothing was resumed');
      expect(tokens === 400 && usage.completion_tokens === 400, `${tokens} tokens told, ${usage.completion_tokens} charged`);
      return `${attempts[1]?.resumed_tokens} tokens from ${NEAR}, the rest of 400 from ${FAR}`;
    },
  },
  {
    name: 'the killed engine is started again by its daemon, and serves',
    async run(fleet) {
      const before = fleet.daemon(NEAR).status().counters.engineStarts;
      await patiently(async () => (await near(fleet))?.state === 'ready', 'it is back');
      const { usage } = await (await fleet.clientOf('org_back')).chat.completions.create(asked('Are you back?'));
      expect((usage?.completion_tokens ?? 0) > 0, 'it does not answer');
      return `started ${before} times in all`;
    },
  },
  {
    name: 'its prefix cache can be emptied',
    async run(fleet) {
      const client = await fleet.clientOf('org_flush');
      const cached = async (): Promise<number> => (await client.chat.completions.create(asked(LONG, { max_tokens: 1 }))).usage?.prompt_tokens_details?.cached_tokens ?? 0;
      await cached();
      const before = await cached();
      for (const node of [NEAR, FAR]) {
        const answer = await fetch(`http://127.0.0.1:${fleet.daemon(node).localPort}/flush`, { method: 'POST' });
        expect(answer.status === 200, `${node} answered ${answer.status}: ${await answer.text()}`);
      }
      const after = await cached();
      expect(before > 0 && after === 0, `${before} cached before, ${after} after`);
      return `${before} → ${after} cached tokens`;
    },
  },
];

function expect(isTrue: boolean, why: string): void {
  if (!isTrue) throw new Error(why);
}

/** Engines on CPUs take their time. */
async function patiently(condition: () => Promise<boolean>, what: string): Promise<void> {
  const giveUpMs = performance.now() + 600_000;
  for (;;) {
    try {
      return await until(condition, what);
    } catch (error) {
      if (performance.now() > giveUpMs) throw error;
    }
  }
}

async function replicas(fleet: RealFleet): Promise<readonly ReplicaObject[]> {
  return (await fleet.admin('GET', '/admin/v1/fleet')).json['data'] as readonly ReplicaObject[];
}

async function near(fleet: RealFleet): Promise<ReplicaObject | undefined> {
  return (await replicas(fleet)).find(({ id }) => id === NEAR);
}

async function recordOf(fleet: RealFleet, id: string | null): Promise<RequestObject> {
  let record: RequestObject | null = null;
  await until(async () => {
    const { status, json } = await fleet.admin('GET', `/admin/v1/requests/${id}`);
    if (status === 200) record = json as unknown as RequestObject;
    return record !== null;
  }, 'the request is recorded');
  if (record === null) throw new Error('there is no record');
  return record;
}

/** A figure of the near engine's own metrics. */
async function counted(fleet: RealFleet, name: string): Promise<number> {
  const text = await (await fetch(`${fleet.engineUrl(NEAR)}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN);
}
