import { engineBody } from '../openai/index.ts';
import { EngineStatusError, type EngineClient } from './engine-client.ts';
import type { EngineAdapter, EngineInfo, EngineLoad } from './engine-adapter.ts';
import { countOrNull, fields, rateOrNull, textOrNull } from './json-fields.ts';

/**
 * SGLang: aborts by our attempt id (`rid`), keeps tenants' caches apart (`cache_salt`), counts along the way, and
 * reports the load of each data-parallel rank.
 */
export function sglangAdapter(client: EngineClient): EngineAdapter {
  return {
    kind: 'sglang',
    readinessPath: '/health',
    prepareBody: (body, terms, rank) =>
      engineBody(body, { streamed: terms.streamed, runningCounts: true }, {
        rid: JSON.stringify(terms.id),
        priority: String(terms.priority),
        ...(terms.cacheSalt === '' ? {} : { cache_salt: JSON.stringify(terms.cacheSalt) }),
        ...(rank === 0 ? {} : { routed_dp_rank: String(rank) }),
      }),
    readInfo: async () => readServerInfo(await firstFound(client, ['/get_server_info', '/server_info'])),
    readLoad: async () => readLoads(await firstFound(client, ['/v1/loads', '/get_load'])),
    async abort(attemptId) {
      await client.control('POST', '/abort_request', { rid: attemptId, abort_all: false });
    },
  };
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
  };
}
