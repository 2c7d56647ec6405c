import { engineBody, type AttemptTerms, type Continuation } from '../openai/index.ts';
import { EngineStatusError, type EngineClient } from './engine-client.ts';
import type { EngineAdapter, EngineInfo, EngineLoad } from './engine-adapter.ts';
import { countOrNull, fields, rateOrNull, textOrNull } from './json-fields.ts';
import { resumedMembers } from './resumed-body.ts';

/** The ids of a longer prompt are not carried along: should its answer break off, it goes on from the text. */
const TOKEN_IDS_BODY_BYTES_MAX = 512 * 1024;

/**
 * SGLang: aborts by our attempt id (`rid`), keeps tenants' caches apart (`cache_salt`), counts along the way, and
 * reports the load of each data-parallel rank.
 */
export function sglangAdapter(client: EngineClient, continuation: () => Continuation = () => 'none'): EngineAdapter {
  return {
    kind: 'sglang',
    readinessPath: '/health',
    loadMsMin: 0,
    prepareBody: (path, body, terms, rank) =>
      engineBody(body, { streamed: terms.streamed, runningCounts: true }, {
        rid: JSON.stringify(terms.id),
        priority: String(terms.priority),
        ...(terms.cacheSalt === '' ? {} : { cache_salt: JSON.stringify(terms.cacheSalt) }),
        ...(asksTokenIds(body, terms, continuation()) ? { return_token_ids: 'true', return_prompt_token_ids: 'true' } : {}),
        ...resumed(path, body, terms, continuation()),
        ...(rank === 0 ? {} : { routed_dp_rank: String(rank) }),
      }),
    readInfo: async () => readServerInfo(await firstFound(client, ['/get_server_info', '/server_info'])),
    readLoad: async () => readLoads(await firstFound(client, ['/v1/loads', '/get_load'])),
    async abort(attemptId) {
      await client.control('POST', '/abort_request', { rid: attemptId, abort_all: false });
    },
    async flush() {
      await client.control('POST', '/flush_cache');
    },
  };
}

/** Engines that do not know how refuse the request for it, so it is asked only of those that say they do. */
function asksTokenIds(body: Buffer, { streamed, continuable }: AttemptTerms, continuation: Continuation): boolean {
  return streamed && continuable && continuation === 'tokens' && body.length <= TOKEN_IDS_BODY_BYTES_MAX;
}

function resumed(path: string, body: Buffer, { resume }: AttemptTerms, continuation: Continuation): Record<string, string> {
  return resume === null || continuation === 'none' ? {} : resumedMembers(body, path, resume, continuation);
}

/** The JSON at the first of `paths` that the engine's version has. */
async function firstFound(client: EngineClient, paths: readonly [string, string]): Promise<unknown> {
  try {
    return await client.json(paths[0]);
  } catch (error) {
    if (error instanceof EngineStatusError && error.status === 404) return client.json(paths[1]);
    throw error;
  }
}

function readServerInfo(value: unknown): EngineInfo {
  const info = fields(value);
  // The seed is drawn anew at each start unless somebody fixed it.
  const marks = [info['start_time'], info['epoch'], info['random_seed']].filter((mark) => mark !== undefined && mark !== null);
  return {
    version: textOrNull(info['version']),
    instance: marks.length === 0 ? null : marks.map(String).join('/'),
    kvTokens: countOrNull(info['max_total_num_tokens']),
    runningMax: countOrNull(info['max_running_requests']),
    contextTokens: countOrNull(info['context_length']),
    tellsTokenIds: info['streams_token_ids'] === true,
    ranks: Math.max(1, countOrNull(info['dp_size']) ?? 1),
  };
}

function readLoads(value: unknown): EngineLoad[] {
  const entries: unknown = Array.isArray(value) ? value : fields(value)['loads'];
  if (!Array.isArray(entries) || entries.length === 0) throw new Error('the engine reported no load');
  return entries.map((entry) => readRankLoad(fields(entry)));
}

/**
 * Used is `num_used_tokens`, and what waits is `num_waiting_uncached_tokens`: `token_usage` counts evictable cache as
 * free, and `num_total_tokens` ignores prefix hits. The older report has neither, and counts waiting requests with the
 * running ones.
 */
function readRankLoad(load: Readonly<Record<string, unknown>>): EngineLoad {
  const queued = countOrNull(load['num_waiting_reqs']);
  const all = countOrNull(load['num_reqs']);
  const running = countOrNull(load['num_running_reqs']) ?? (all === null || queued === null ? null : Math.max(0, all - queued));
  if (running === null || queued === null) throw new Error('the engine reported a load without its requests');
  return {
    rank: countOrNull(load['dp_rank']) ?? 0,
    running,
    queued,
    queuedUncachedTokens: countOrNull(load['num_waiting_uncached_tokens']),
    kvTokensUsed: countOrNull(load['num_used_tokens']),
    kvTokens: countOrNull(load['max_total_num_tokens']),
    prefillTokensPerS: null,
    decodeTokensPerS: rateOrNull(load['gen_throughput']),
    acceptLength: acceptLengthOf(load),
  };
}

/** In a section of its own, or, by versions between, beside the others; zero is none. */
function acceptLengthOf(load: Readonly<Record<string, unknown>>): number | null {
  const length = rateOrNull(fields(load['speculative'])['accept_length'] ?? load['spec_accept_length']);
  return length === 0 ? null : length;
}
