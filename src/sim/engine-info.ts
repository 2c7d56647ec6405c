import type { AttemptTotals } from './attempt-log.ts';
import type { EngineModel } from './engine-model.ts';

const VERSION = '0.5.13-simulated';

export interface EngineIdentity {
  readonly model: string;
  readonly weightDtype: string;
  readonly streamsTokenIds: boolean;
}

/** The body of `/v1/loads` but for its timestamp: one data-parallel rank. */
export function loadReport(model: EngineModel): object {
  const load = model.load();
  return {
    version: VERSION,
    loads: [
      {
        dp_rank: 0,
        num_running_reqs: load.runningRequests,
        num_waiting_reqs: load.waitingRequests,
        num_waiting_uncached_tokens: load.waitingUncachedTokens,
        num_used_tokens: load.usedTokens,
        num_total_tokens: load.totalTokens,
        max_total_num_tokens: load.maxTokens,
        max_running_requests: load.maxRunningRequests,
        token_usage: round(load.usedTokens / load.maxTokens),
        gen_throughput: round(load.tokensPerSecond),
        cache_hit_rate: round(load.cacheHitRate),
        utilization: 0,
      },
    ],
  };
}

/** The body of the older `/get_load`. */
export function oldLoadReport(model: EngineModel): object[] {
  const load = model.load();
  const waiting = load.waitingRequests;
  return [{ dp_rank: 0, num_reqs: load.runningRequests + waiting, num_waiting_reqs: waiting, num_tokens: load.totalTokens }];
}

export function serverInfo(model: EngineModel, identity: EngineIdentity): object {
  const { config } = model;
  return {
    model_path: identity.model,
    served_model_name: identity.model,
    quantization: identity.weightDtype,
    streams_token_ids: identity.streamsTokenIds,
    tp_size: 8,
    dp_size: 1,
    page_size: config.pageTokens,
    context_length: config.contextTokens,
    chunked_prefill_size: config.chunkTokens,
    max_queued_requests: config.maxQueuedRequests,
    max_running_requests: config.maxRunningRequests,
    max_total_num_tokens: config.kvTokens,
    internal_states: [{ last_gen_throughput: round(model.load().tokensPerSecond), effective_max_running_requests_per_dp: config.maxRunningRequests }],
    version: VERSION,
  };
}

export function modelInfo(identity: EngineIdentity): object {
  return { model_path: identity.model, tokenizer_path: identity.model, is_generation: true, weight_version: 'default' };
}

export function modelList(model: EngineModel, identity: EngineIdentity): object {
  return {
    object: 'list',
    data: [{ id: identity.model, object: 'model', created: 1735257600, owned_by: 'sglang', root: identity.model, parent: null, max_model_len: model.config.contextTokens }],
  };
}

/** The body of `/metrics`: Prometheus text. */
export function metricsText(model: EngineModel, totals: Readonly<AttemptTotals>, identity: EngineIdentity): string {
  const load = model.load();
  const label = `{model_name="${identity.model.replace(/[\\"\n]/g, '_')}"}`;
  const lines: string[] = [];
  const add = (name: string, type: 'gauge' | 'counter', value: number): void => {
    lines.push(`# TYPE sglang:${name} ${type}`, `sglang:${name}${label} ${value}`);
  };
  add('num_running_reqs', 'gauge', load.runningRequests);
  add('num_queue_reqs', 'gauge', load.waitingRequests);
  add('num_used_tokens', 'gauge', load.usedTokens);
  add('max_total_num_tokens', 'gauge', load.maxTokens);
  add('token_usage', 'gauge', round(load.usedTokens / load.maxTokens));
  add('gen_throughput', 'gauge', round(load.tokensPerSecond));
  add('cache_hit_rate', 'gauge', round(load.cacheHitRate));
  add('prompt_tokens_total', 'counter', totals.prompt);
  add('cached_tokens_total', 'counter', totals.cached);
  add('generation_tokens_total', 'counter', totals.completion);
  add('num_requests_total', 'counter', totals.attempts);
  add('num_aborted_requests_total', 'counter', totals.aborted);
  return `${lines.join('\n')}\n`;
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
