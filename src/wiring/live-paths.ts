/**
 * What a change of the configuration needs, by the longest path that is named here: every section is, so that none is forgotten. Live is what
 * the next request, replica or look goes by.
 */
export const CHANGES: Readonly<Record<string, 'live' | 'restart'>> = {
  gateway: 'restart',
  listen: 'restart',
  'listen.fleet.peers': 'live',
  data_dir: 'restart',
  secrets_file: 'restart',
  postgres: 'restart',
  redis: 'restart',
  sharing: 'restart',
  admin_key: 'live',
  prices_file: 'live',
  models: 'live',
  aliases: 'live',
  replicas: 'live',
  dedicated: 'live',
  limits: 'live',
  'limits.body_bytes_max': 'restart',
  'limits.header_bytes_max': 'restart',
  'limits.stream_buffer_bytes_max': 'restart',
  timeouts: 'live',
  retries: 'live',
  hedge: 'live',
  breaker: 'live',
  health: 'live',
  balancer: 'live',
  'balancer.explain_max': 'restart',
  'balancer.prefix_blocks_max': 'restart',
  'balancer.sessions_max': 'restart',
  admission: 'live',
  overload: 'live',
  link: 'restart',
  drain: 'live',
  journal: 'restart',
  billing: 'restart',
  idempotency: 'restart',
  'idempotency.answer_bytes_max': 'live',
  webhooks: 'restart',
  telemetry: 'restart',
  'telemetry.log_level': 'live',
  'telemetry.log_requests': 'live',
  routing_headers: 'live',
};

/** Whether a change at `path` holds without a restart. */
export function isLive(path: string): boolean {
  const named = Object.keys(CHANGES).filter((name) => path === name || path.startsWith(`${name}.`));
  const nearest = named.toSorted((a, b) => b.length - a.length)[0];
  return nearest !== undefined && CHANGES[nearest] === 'live';
}
