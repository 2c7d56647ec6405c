import type { CacheMirrorStatus } from './node-status.ts';

/** What is counted, by the name its metric has. */
const COUNTER_NAMES = {
  attemptsStarted: 'attempts_started_total',
  attemptsCompleted: 'attempts_completed_total',
  attemptsFailed: 'attempts_failed_total',
  attemptsAborted: 'attempts_aborted_total',
  attemptsRefused: 'attempts_refused_total',
  promptTokens: 'prompt_tokens_total',
  cachedTokens: 'cached_tokens_total',
  completionTokens: 'completion_tokens_total',
  engineStarts: 'engine_starts_total',
  engineExits: 'engine_exits_total',
  loadReports: 'load_reports_total',
  loadPollsFailed: 'load_polls_failed_total',
  probesFailed: 'probes_failed_total',
  linksLost: 'links_lost_total',
  settlementsDropped: 'settlements_dropped_total',
} as const;

type CounterKey = keyof typeof COUNTER_NAMES;

const COUNTER_KEYS = Object.keys(COUNTER_NAMES) as CounterKey[];

/** What the daemon has done since it started: plain numbers, read when somebody asks. */
export type NodeCounters = Record<CounterKey, number>;

export function zeroCounters(): NodeCounters {
  return Object.fromEntries(COUNTER_KEYS.map((key) => [key, 0])) as NodeCounters;
}

/** What stands at the moment of the scrape. */
export interface NodeGauges {
  readonly attemptsInFlight: number;
  readonly linksConnected: number;
  readonly settlementsPending: number;
  readonly cacheMirror: CacheMirrorStatus;
  readonly isReady: boolean;
}

/** Prometheus text. */
export function metricsText(counters: Readonly<NodeCounters>, gauges: NodeGauges): string {
  const lines: string[] = [];
  const add = (name: string, type: 'counter' | 'gauge', value: number): void => {
    lines.push(`# TYPE meridian_node_${name} ${type}`, `meridian_node_${name} ${value}`);
  };
  for (const key of COUNTER_KEYS) add(COUNTER_NAMES[key], 'counter', counters[key]);
  add('attempts_in_flight', 'gauge', gauges.attemptsInFlight);
  add('links_connected', 'gauge', gauges.linksConnected);
  add('settlements_pending', 'gauge', gauges.settlementsPending);
  add('mirror_blocks', 'gauge', gauges.cacheMirror.blocks);
  add('mirror_predicted_tokens_total', 'counter', Math.round(gauges.cacheMirror.predictedTokens));
  add('mirror_reported_tokens_total', 'counter', gauges.cacheMirror.reportedTokens);
  add('ready', 'gauge', gauges.isReady ? 1 : 0);
  return `${lines.join('\n')}\n`;
}
