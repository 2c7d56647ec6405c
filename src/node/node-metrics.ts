import { MetricsRegistry, type Histogram, type HistogramPoint } from '../core/index.ts';
import type { EngineLoad } from '../engine/index.ts';
import { COUNTERS, type NodeCounters } from './counters.ts';
import type { GpuFacts } from './gpu-watch.ts';
import type { CacheMirrorStatus, GatewayStatus } from './node-status.ts';

/** What stands at the moment of the scrape. */
export interface NodeGauges {
  readonly attemptsInFlight: number;
  readonly gateways: readonly GatewayStatus[];
  readonly cacheMirror: CacheMirrorStatus;
  readonly isReady: boolean;
  /** By the replica's name. */
  readonly loads: readonly { readonly replica: string; readonly load: EngineLoad }[];
  readonly gpus: readonly GpuFacts[];
  /** End of this node's certificate, in milliseconds since the epoch; null without one. */
  readonly certificateExpiresAtMs: number | null;
}

type Point = readonly [labels: Readonly<Record<string, string>>, value: number | null];

const TTFT_BOUNDS_S = [0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 25, 50];
const TPOT_BOUNDS_S = [0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2, 0.5];

/** What a node measures of the answers it passes on, and all that it tells of itself as metrics. */
export class NodeMetrics {
  readonly #registry = new MetricsRegistry();
  readonly #ttft: Histogram;
  readonly #tpot: Histogram;

  constructor() {
    this.#ttft = this.#registry.histogram('ttft', { help: 'From an attempt to its first token.', unit: 's', bounds: TTFT_BOUNDS_S }).with({});
    this.#tpot = this.#registry.histogram('tpot', { help: 'Time per token after the first one, of whole answers.', unit: 's', bounds: TPOT_BOUNDS_S }).with({});
  }

  /** An attempt gave its first token after so many milliseconds. */
  sawFirstToken(ms: number): void {
    this.#ttft.record(ms / 1_000);
  }

  /** The rest of an answer, `tokens` of it, took so many milliseconds. */
  sawTokens(tokens: number, ms: number): void {
    if (tokens > 0) this.#tpot.record(ms / tokens / 1_000);
  }

  /** Prometheus text. */
  text(counters: Readonly<NodeCounters>, gauges: NodeGauges): string {
    const lines = [
      ...COUNTERS.flatMap(({ name, help, key }) => family(name, 'counter', help, [[{}, counters[key]]])),
      ...standing(gauges),
      ...ofLoads(gauges),
      ...ofGpus(gauges.gpus),
      ...this.#registry.read().flatMap((metric) => (metric.kind === 'histogram' ? histogram(`${metric.name}_seconds`, metric.help, metric.bounds, metric.points) : [])),
    ];
    return `${lines.join('\n')}\n`;
  }
}

function standing({ attemptsInFlight, gateways, cacheMirror, isReady, certificateExpiresAtMs }: NodeGauges): string[] {
  const links = gateways.map(({ url, isConnected }): Point => [{ gateway: url }, isConnected ? 1 : 0]);
  return [
    ...family('ready', 'gauge', 'Whether it takes attempts.', [[{}, isReady ? 1 : 0]]),
    ...family('attempts_in_flight', 'gauge', 'Attempts in the engine.', [[{}, attemptsInFlight]]),
    ...family('link_up', 'gauge', 'Whether the link to a gateway stands.', links),
    ...family('link_round_trip_seconds', 'gauge', 'Round trip to a gateway.', gateways.map(({ url, rttMs }): Point => [{ gateway: url }, rttMs === null ? null : rttMs / 1_000])),
    ...family('settlements_pending', 'gauge', 'Counts that a gateway has not acknowledged.', [[{}, gateways.reduce((sum, { settlementsPending }) => sum + settlementsPending, 0)]]),
    ...family('mirror_blocks', 'gauge', 'Blocks of prompts that the mirrors of its caches hold.', [[{}, cacheMirror.blocks]]),
    ...family('mirror_predicted_tokens_total', 'counter', 'Cached tokens that the mirrors foresaw.', [[{}, Math.round(cacheMirror.predictedTokens)]]),
    ...family('mirror_reported_tokens_total', 'counter', 'Cached tokens that the engine then reported.', [[{}, cacheMirror.reportedTokens]]),
    ...family('certificate_expiry_timestamp_seconds', 'gauge', 'When its certificate ends.', [[{}, certificateExpiresAtMs === null ? null : certificateExpiresAtMs / 1_000]]),
  ];
}

function ofLoads({ loads }: NodeGauges): string[] {
  const of = (name: string, help: string, value: (load: EngineLoad) => number | null): string[] => family(name, 'gauge', help, loads.map(({ replica, load }): Point => [{ replica }, value(load)]));
  return [
    ...of('engine_running_requests', 'Requests the engine decodes.', ({ running }) => running),
    ...of('engine_queued_requests', 'Requests that wait in it.', ({ queued }) => queued),
    ...of('engine_queued_uncached_tokens', 'Tokens of theirs that must be prefilled.', ({ queuedUncachedTokens }) => queuedUncachedTokens),
    ...of('engine_kv_used_tokens', 'Tokens in the KV cache that requests use.', ({ kvTokensUsed }) => kvTokensUsed),
    ...of('engine_kv_tokens', 'Size of the KV cache.', ({ kvTokens }) => kvTokens),
    ...of('engine_decode_tokens_per_second', 'Tokens of all requests together.', ({ decodeTokensPerS }) => decodeTokensPerS),
    ...of('engine_accept_length', 'Tokens that a step of speculative decoding yields.', ({ acceptLength }) => acceptLength),
  ];
}

function ofGpus(gpus: readonly GpuFacts[]): string[] {
  const of = (name: string, help: string, value: (gpu: GpuFacts) => number | null): string[] => family(name, 'gauge', help, gpus.map((gpu): Point => [{ gpu: String(gpu.index) }, value(gpu)]));
  return [
    ...of('gpu_memory_bytes', 'Memory of a GPU.', ({ memoryBytes }) => memoryBytes),
    ...of('gpu_memory_used_bytes', 'Memory of it that is in use.', ({ memoryUsedBytes }) => memoryUsedBytes),
    ...of('gpu_utilization_ratio', 'Share of the last second in which it worked.', ({ utilization }) => utilization),
    ...of('gpu_temperature_celsius', 'Its temperature.', ({ celsius }) => celsius),
    ...of('gpu_power_watts', 'What it draws.', ({ watts }) => watts),
    ...of('gpu_uncorrected_memory_errors', 'Memory errors since the driver was loaded that could not be corrected.', ({ uncorrectedErrors }) => uncorrectedErrors),
  ];
}

/** One metric with its points, those that are unknown left out; nothing where none is known. */
function family(name: string, type: 'counter' | 'gauge', help: string, points: readonly Point[]): string[] {
  const known = points.filter(([, value]) => value !== null);
  if (known.length === 0) return [];
  return [...head(name, type, help), ...known.map(([labels, value]) => `meridian_node_${name}${labelText(labels)} ${value}`)];
}

function histogram(name: string, help: string, bounds: readonly number[], points: readonly HistogramPoint[]): string[] {
  const lines = head(name, 'histogram', help);
  for (const { counts, count, sum } of points) {
    let cumulative = 0;
    for (const [i, bound] of bounds.entries()) {
      cumulative += counts[i] ?? 0;
      lines.push(`meridian_node_${name}_bucket{le="${bound}"} ${cumulative}`);
    }
    lines.push(`meridian_node_${name}_bucket{le="+Inf"} ${count}`, `meridian_node_${name}_sum ${sum}`, `meridian_node_${name}_count ${count}`);
  }
  return lines;
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP meridian_node_${name} ${help}`, `# TYPE meridian_node_${name} ${type}`];
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([key, value]) => `${key}="${value.replace(/["\\\n]/g, '\\$&')}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}
