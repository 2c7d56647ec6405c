import type { Clock } from '../core/index.ts';
import { engineBody, type AttemptTerms, type Continuation } from '../openai/index.ts';
import type { EngineAdapter, EngineInfo, EngineLoad } from './engine-adapter.ts';
import type { EngineClient } from './engine-client.ts';
import { countOrNull, fields, textOrNull } from './json-fields.ts';
import { openEnded } from './openai.ts';
import { readSamples, sumOfSamples, type Sample } from './prometheus-text.ts';
import { resumedMembers } from './resumed-body.ts';

/** Its metrics, without the `vllm:` before them. Older versions have the second name of a pair. */
const RUNNING = ['vllm:num_requests_running'];
const WAITING = ['vllm:num_requests_waiting'];
const KV_USE = ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc'];
const GENERATED = ['vllm:generation_tokens'];
const ACCEPTED = ['vllm:spec_decode_num_accepted_tokens'];
const DRAFTS = ['vllm:spec_decode_num_drafts'];
const CACHE = 'vllm:cache_config_info';
const STARTED = 'process_start_time_seconds';
const LOAD_METRICS = new Set([...RUNNING, ...WAITING, ...KV_USE, ...GENERATED, ...ACCEPTED, ...DRAFTS, CACHE]);

type Scrape = ReadonlyMap<string, readonly Sample[]>;

/** Counters at one look. */
interface Look {
  readonly atMs: number;
  readonly generated: number | null;
  readonly accepted: number | null;
  readonly drafts: number | null;
}

/**
 * vLLM: keeps tenants' caches apart (`cache_salt`), counts along the way, ends an attempt when its connection ends, and tells its load in its metrics. It
 * balances over its data-parallel ranks by itself, so they are one replica.
 */
export function vllmAdapter(client: EngineClient, clock: Pick<Clock, 'now'>, continuation: () => Continuation = () => 'none'): EngineAdapter {
  let last: Look | null = null;
  return {
    kind: 'vllm',
    readinessPath: '/health',
    // A scrape is some hundred lines to write and to read.
    loadMsMin: 250,
    prepareBody: (path, body, terms) =>
      engineBody(body, { streamed: terms.streamed, runningCounts: true }, {
        ...(terms.cacheSalt === '' ? {} : { cache_salt: JSON.stringify(terms.cacheSalt) }),
        ...resumed(path, body, terms, continuation()),
      }),
    async readInfo() {
      const [version, models, metrics] = await Promise.all([client.json('/version'), client.json('/v1/models'), client.control('GET', '/metrics')]);
      return infoOf(version, models, readSamples(metrics, new Set([CACHE, STARTED])));
    },
    async readLoad() {
      const scrape = readSamples(await client.control('GET', '/metrics'), LOAD_METRICS);
      const look = { atMs: clock.now(), generated: total(scrape, GENERATED), accepted: total(scrape, ACCEPTED), drafts: total(scrape, DRAFTS) };
      const load = loadOf(scrape, look, last);
      last = look;
      return [load];
    },
    abort: null,
    async flush() {
      await client.control('POST', '/reset_prefix_cache');
    },
  };
}

function resumed(path: string, body: Buffer, { resume }: AttemptTerms, continuation: Continuation): Record<string, string> {
  return resume === null || continuation === 'none' ? {} : openEnded(path, resumedMembers(body, path, resume, 'text'));
}

function infoOf(version: unknown, models: unknown, scrape: Scrape): EngineInfo {
  const listed: unknown = fields(models)['data'];
  const started = scrape.get(STARTED)?.[0]?.value;
  return {
    version: textOrNull(fields(version)['version']),
    instance: started === undefined ? null : String(started),
    kvTokens: kvTokensOf(scrape),
    runningMax: null,
    contextTokens: countOrNull(fields(Array.isArray(listed) ? listed[0] : null)['max_model_len']),
    tellsTokenIds: false,
    ranks: 1,
  };
}

/** Blocks of all ranks, times the tokens of a block. */
function kvTokensOf(scrape: Scrape): number | null {
  const samples = scrape.get(CACHE);
  if (samples === undefined) return null;
  const tokens = samples.reduce((sum, { labels }) => sum + Number(labels['num_gpu_blocks']) * Number(labels['block_size']), 0);
  return countOrNull(tokens);
}

/** What is new since the last look: tokens in its time, and how many of the drafted tokens were right. Throws without the counts of requests. */
function loadOf(scrape: Scrape, look: Look, last: Look | null): EngineLoad {
  const [running, queued] = [total(scrape, RUNNING), total(scrape, WAITING)];
  if (running === null || queued === null) throw new Error('the engine reported a load without its requests');
  const kvTokens = kvTokensOf(scrape);
  const use = KV_USE.map((name) => scrape.get(name)).find((samples) => samples !== undefined);
  const share = use === undefined ? null : use.reduce((sum, { value }) => sum + value, 0) / use.length;
  const seconds = last === null ? 0 : (look.atMs - last.atMs) / 1_000;
  const generated = risen(look.generated, last?.generated);
  const drafts = risen(look.drafts, last?.drafts);
  const accepted = risen(look.accepted, last?.accepted);
  return {
    rank: 0,
    running,
    queued,
    queuedUncachedTokens: null,
    kvTokensUsed: share === null || kvTokens === null ? null : Math.round(share * kvTokens),
    kvTokens,
    prefillTokensPerS: null,
    decodeTokensPerS: generated === null || seconds <= 0 ? null : generated / seconds,
    acceptLength: drafts === null || accepted === null || drafts === 0 ? null : 1 + accepted / drafts,
  };
}

/** Null when one is not known, or the engine has started anew between. */
function risen(now: number | null, before: number | null | undefined): number | null {
  return now === null || before == null || now < before ? null : now - before;
}

function total(scrape: Scrape, names: readonly string[]): number | null {
  return sumOfSamples(names.map((name) => scrape.get(name)).find((samples) => samples !== undefined));
}
