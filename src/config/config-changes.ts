import type { GatewayConfig } from './gateway-schema.ts';

/** What has changed between two configurations, by the paths of the file. */
export interface ConfigChanges {
  /** These hold for the next request. */
  readonly live: readonly string[];
  /** These hold once the gateway is started again. */
  readonly needsRestart: readonly string[];
}

/** What a gateway that runs can take on: these paths and all below them. Every other one needs a restart. */
export const LIVE_PATHS: readonly string[] = [
  'prices_file',
  'models',
  'aliases',
  'replicas',
  'dedicated',
  'listen.fleet.peers',
  'limits.json_depth_max',
  'limits.answer_bytes_max',
  'limits.stream_buffer_bytes_max',
  'timeouts.stall_ms',
  'timeouts.total_ms',
  'timeouts.slow_reader_ms',
  'timeouts.keep_alive_comment_ms',
  'timeouts.early_head_ms',
  'retries.attempts_max',
  'retries.jitter_min_ms',
  'retries.jitter_max_ms',
  'health.ejected_share_max',
  'health.panic_share',
  'drain',
  'billing',
  'idempotency.answer_bytes_max',
  'telemetry.log_level',
  'telemetry.log_requests',
  'routing_headers',
];

export function configChanges(before: GatewayConfig, after: GatewayConfig): ConfigChanges {
  const paths = changedPaths(before, after, '').toSorted((a, b) => (a < b ? -1 : 1));
  const isLive = (path: string): boolean => LIVE_PATHS.some((live) => path === live || path.startsWith(`${live}.`));
  return { live: paths.filter(isLive), needsRestart: paths.filter((path) => !isLive(path)) };
}

/** Sections are looked into, down to what is live or no section; the names of dictionaries belong to the user. */
function changedPaths(before: unknown, after: unknown, path: string): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (LIVE_PATHS.includes(path) || !isSection(before) || !isSection(after)) return [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => changedPaths(before[key], after[key], path === '' ? snake(key) : `${path}.${snake(key)}`));
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function snake(key: string): string {
  return key.replaceAll(/[A-Z0-9]+/g, (part) => `_${part.toLowerCase()}`);
}
